"""---
rows = [23]
attack = "keys of a dict that all have the same hash"
outcomes = ["exceededCpu", "ok"]
[request.limits]
cpu_ms = 200
---"""
class Key(int):
    def __hash__(self):
        return 7

d = {Key(i): i for i in range(20_000)}
