"""---
rows = [8, 5]
attack = "an error whose message is larger than all output may be"
outcomes = ["exception", "exceededOutput", "exceededMemory"]
---"""
raise ValueError("x" * 20_000_000)
