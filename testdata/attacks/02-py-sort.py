"""---
rows = [2]
attack = "one builtin that works for long: sort"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
class Slow(int):
    __lt__ = lambda a, b: int(a) > int(b)

sorted(Slow(i * 7919 % 1000003) for i in range(3_000_000))
