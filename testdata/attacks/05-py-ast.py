"""---
rows = [5]
attack = "depth without end: ast"
outcomes = ["ok", "exception", "exceededMemory", "exceededCpu"]
[request.limits]
cpu_ms = 4000
memory_mb = 128
---"""
eval("(" * 100_000 + "1" + ")" * 100_000)
