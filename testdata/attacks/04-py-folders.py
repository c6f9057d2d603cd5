"""---
rows = [4]
attack = "more than the limit of memory or files: folders"
outcomes = ["exceededMemory", "exception"]
[request.limits]
cpu_ms = 10000
wall_ms = 20000
memory_mb = 64
---"""
import os
while True:
    os.mkdir("d")
    os.chdir("d")
