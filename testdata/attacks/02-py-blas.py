"""---
rows = [2]
attack = "one builtin that works for long: blas"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
import numpy as np
a = np.random.rand(2500, 2500)
a @ a
