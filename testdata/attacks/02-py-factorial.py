"""---
rows = [2]
attack = "one builtin that works for long: factorial"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
import math
math.factorial(3_000_000)
