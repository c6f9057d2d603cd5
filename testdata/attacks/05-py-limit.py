"""---
rows = [5]
attack = "depth without end: limit"
outcomes = ["ok", "exception", "exceededMemory", "exceededCpu"]
[request.limits]
cpu_ms = 4000
memory_mb = 128
---"""
import sys
sys.setrecursionlimit(10**9)

def f(n):
    return f(n + 1)

f(0)
