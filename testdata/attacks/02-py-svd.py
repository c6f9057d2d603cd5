"""---
rows = [2]
attack = "one builtin that works for long: svd"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
import numpy as np
np.linalg.svd(np.random.rand(1500, 1500))
