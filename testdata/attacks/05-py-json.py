"""---
rows = [5]
attack = "depth without end: json"
outcomes = ["ok", "exception", "exceededMemory", "exceededCpu"]
[request.limits]
cpu_ms = 4000
memory_mb = 128
---"""
import json
json.loads("[" * 1_000_000)
