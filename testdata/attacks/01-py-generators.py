"""---
rows = [1]
attack = "endless generators that feed each other"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 100
---"""
import itertools

def endless():
    while True:
        yield from (x for x in itertools.repeat(1))

sum(a for a in endless() for b in endless())
