"""---
rows = [2]
attack = "one builtin that works for long: itertools"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 100
---"""
import collections, itertools
collections.deque(itertools.count(), maxlen=0)
