"""---
rows = [2]
attack = "one builtin that works for long: strings"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
s = "a" * 10_000_000
while True:
    s.replace("a", "b").find("ab" * 1000)
