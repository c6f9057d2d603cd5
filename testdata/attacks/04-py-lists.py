"""---
rows = [4]
attack = "more than the limit of memory or files: lists"
outcomes = ["exceededMemory", "exception"]
[request.limits]
cpu_ms = 10000
wall_ms = 20000
memory_mb = 64
---"""
kept = []
while True:
    kept.append([0] * 1000)
