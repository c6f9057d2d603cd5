"""---
rows = [4]
attack = "allocation that catches MemoryError and goes on"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 1000
memory_mb = 64
---"""
kept = []
size = 1 << 24
while True:
    try:
        while True:
            kept.append(bytearray(size))
    except MemoryError:
        size = max(size // 2, 1)
