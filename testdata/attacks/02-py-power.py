"""---
rows = [2]
attack = "one builtin that works for long: power"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
10**10**8
