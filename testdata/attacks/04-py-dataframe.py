"""---
rows = [4]
attack = "more than the limit of memory or files: dataframe"
outcomes = ["exceededMemory", "exception"]
[request.limits]
cpu_ms = 10000
wall_ms = 20000
memory_mb = 64
---"""
import numpy as np, pandas as pd
d = pd.DataFrame(np.zeros((1000, 10)))
while True:
    d = pd.concat([d, d])
