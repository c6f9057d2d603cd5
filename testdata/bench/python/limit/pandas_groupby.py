import numpy as np, pandas as pd
d = pd.DataFrame({"a": np.arange(2_000_000) % 1000, "b": 1.5})
while True: d.groupby("a").sum()
