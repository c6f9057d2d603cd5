"""---
rows = [1, 8]
attack = "a loop in what renders the result, an error or a display"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 100
---"""
class Loop:
    def __repr__(self):
        while True:
            pass
    _repr_html_ = __str__ = __repr__

Loop()
