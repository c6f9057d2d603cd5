"""---
rows = [4]
attack = "more than the limit of memory or files: string"
outcomes = ["exceededMemory", "exception"]
[request.limits]
cpu_ms = 10000
wall_ms = 20000
memory_mb = 64
---"""
s = "x"
while True:
    s += s
