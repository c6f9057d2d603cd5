"""---
rows = [4]
attack = "more than the limit of memory or files: numpy"
outcomes = ["exceededMemory", "exception"]
[request.limits]
cpu_ms = 10000
wall_ms = 20000
memory_mb = 64
---"""
import numpy as np
kept = []
while True:
    kept.append(np.ones(1_000_000))
