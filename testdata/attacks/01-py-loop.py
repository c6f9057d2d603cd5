"""---
rows = [1]
attack = "an endless loop"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 100
---"""
while True:
    pass
