"""---
rows = [4]
attack = "more than the limit of memory or files: files"
outcomes = ["exceededMemory", "exception"]
[request.limits]
cpu_ms = 10000
wall_ms = 20000
memory_mb = 64
---"""
with open("/tmp/big", "wb") as f:
    while True:
        f.write(bytes(1 << 20))
