"""---
rows = [8]
attack = "one string that is larger than all output may be"
outcomes = ["exceededOutput"]
---"""
print("x" * 30_000_000)
