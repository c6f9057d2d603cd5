"""---
rows = [1]
attack = "loops in what runs when a program ends: atexit, __del__, excepthook"
outcomes = ["exceededCpu", "ok"]
[request.limits]
cpu_ms = 100
---"""
import atexit, sys

def spin(*args):
    while True:
        pass

class Late:
    __del__ = spin

late = Late()
sys.excepthook = spin
atexit.register(spin)
raise SystemExit(0)
