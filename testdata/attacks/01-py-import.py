"""---
rows = [1]
attack = "a loop at the top of an imported module"
outcomes = ["exceededCpu"]
[request]
files = [{ path = "endless.py", content = "while True: pass" }]
limits = { cpu_ms = 100 }
---"""
import endless
