"""---
rows = [3]
attack = "backtracking in re: a nested quantifier"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 100
---"""
import re
re.match(r"(a+)+$", "a" * 40 + "b")
