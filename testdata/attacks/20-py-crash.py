"""---
rows = [20, 5]
attack = "known ways to crash the interpreter by its own bytecode"
outcomes = ["ok", "exception", "exceededMemory", "exceededCpu"]
[request.limits]
cpu_ms = 2000
---"""
def f():
    pass

f.__code__ = f.__code__.replace(co_code=bytes([101, 255, 90, 255, 83, 0]) * 40, co_names=(), co_consts=())
f()
