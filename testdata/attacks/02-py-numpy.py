"""---
rows = [2]
attack = "one builtin that works for long: numpy"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
import numpy as np
a = np.ones(2_000_000)
while True:
    np.sort(a) ; np.cumsum(a)
