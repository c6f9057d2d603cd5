"""---
rows = [2]
attack = "one builtin that works for long: sum"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 100
---"""
sum(range(10**10))
