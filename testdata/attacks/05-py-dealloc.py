"""---
rows = [5]
attack = "depth without end: dealloc"
outcomes = ["ok", "exception", "exceededMemory", "exceededCpu"]
[request.limits]
cpu_ms = 4000
memory_mb = 128
---"""
t = None
for _ in range(2_000_000):
    t = (t,)
del t
import itertools
i = iter([])
for _ in range(500_000):
    i = itertools.chain(i, [])
list(i)
