"""---
rows = [3]
attack = "backtracking in the regex package"
outcomes = ["exceededCpu", "exception", "ok"]
[request.limits]
cpu_ms = 100
---"""
import regex
regex.match(r"(a|a?)+$", "a" * 40 + "b")
