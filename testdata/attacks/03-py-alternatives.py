"""---
rows = [3]
attack = "backtracking in re: alternatives over long text, by sub and split"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 100
---"""
import re
re.sub(r"(x|xx|xxx)*y", "", "x" * 60)
re.split(r"(.*)(.*)(.*)(.*)(.*)(.*)[^a]$", "a" * 300)
