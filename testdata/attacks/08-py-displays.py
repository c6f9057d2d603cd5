"""---
rows = [8]
attack = "displays without end"
outcomes = ["exceededOutput", "exceededCpu", "ok"]
---"""
class Big:
    def _repr_html_(self):
        return "<b>" + "x" * 100_000

for _ in range(10_000):
    display(Big())
