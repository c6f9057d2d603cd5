"""---
rows = [5]
attack = "depth without end: pickle"
outcomes = ["ok", "exception", "exceededMemory", "exceededCpu"]
[request.limits]
cpu_ms = 4000
memory_mb = 128
---"""
import pickle
pickle.loads(b"(" * 5_000_000 + b"l" * 5_000_000 + b".")
