"""---
rows = [2]
attack = "one builtin that works for long: compile"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
compile("x = [" + "1+1," * 3_000_000 + "]", "x", "exec")
