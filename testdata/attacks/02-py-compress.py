"""---
rows = [2]
attack = "one builtin that works for long: compress"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
import lzma
lzma.compress(bytes(range(256)) * 40_000, preset=9)
