"""---
rows = [2]
attack = "one builtin that works for long: json"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
import json
json.loads("[" + "1," * 8_000_000 + "1]")
while True:
    json.dumps(list(range(1_000_000)))
