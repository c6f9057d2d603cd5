"""---
rows = [5]
attack = "depth without end: ast-chain"
outcomes = ["ok", "exception", "exceededMemory", "exceededCpu"]
[request.limits]
cpu_ms = 4000
memory_mb = 128
---"""
import ast
ast.parse("-" * 1_000_000 + "1")
