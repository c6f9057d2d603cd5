"""---
rows = [1, 19]
attack = "a trace function that spins, and that the agent may meet"
outcomes = ["exceededCpu", "ok", "exception"]
[request.limits]
cpu_ms = 100
---"""
import sys

def trace(*args):
    while True:
        pass

sys.setprofile(trace)
sys.settrace(trace)
sys.monitoring.use_tool_id(0, "x")
len([])
