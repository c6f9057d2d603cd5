"""---
rows = [5]
attack = "depth without end: error"
outcomes = ["ok", "exception", "exceededMemory", "exceededCpu"]
[request.limits]
cpu_ms = 4000
memory_mb = 128
---"""
e = ValueError("x")
for i in range(100_000):
    try:
        raise e
    except ValueError as x:
        try:
            raise KeyError(i) from x
        except KeyError as y:
            e = y
raise e
