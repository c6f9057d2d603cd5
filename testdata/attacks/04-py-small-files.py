"""---
rows = [4]
attack = "more than the limit of memory or files: small-files"
outcomes = ["exceededMemory", "exception"]
[request.limits]
cpu_ms = 10000
wall_ms = 20000
memory_mb = 64
---"""
n = 0
while True:
    open(f"/tmp/{n}", "w").close()
    n += 1
