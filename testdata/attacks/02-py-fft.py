"""---
rows = [2]
attack = "one builtin that works for long: fft"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
import numpy as np
np.fft.fft(np.ones(2_000_003))
