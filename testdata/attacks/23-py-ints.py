"""---
rows = [23]
attack = "integers that collide by the modulus of the hash"
outcomes = ["exceededCpu", "ok"]
[request.limits]
cpu_ms = 200
---"""
import sys
m = sys.hash_info.modulus
d = {i * m: i for i in range(30_000)}
len(d)
