"""---
rows = [4]
attack = "more than the limit of memory or files: one"
outcomes = ["exceededMemory", "exception"]
[request.limits]
cpu_ms = 10000
wall_ms = 20000
memory_mb = 64
---"""
bytearray(1 << 30)
