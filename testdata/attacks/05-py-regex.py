"""---
rows = [5]
attack = "depth without end: regex"
outcomes = ["ok", "exception", "exceededMemory", "exceededCpu"]
[request.limits]
cpu_ms = 4000
memory_mb = 128
---"""
import re
re.compile("(" * 50_000 + ")" * 50_000)
