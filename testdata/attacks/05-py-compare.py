"""---
rows = [5]
attack = "depth without end: compare"
outcomes = ["ok", "exception", "exceededMemory", "exceededCpu"]
[request.limits]
cpu_ms = 4000
memory_mb = 128
---"""
a, b = [], []
for _ in range(1_000_000):
    a, b = [a], [b]
a == b
