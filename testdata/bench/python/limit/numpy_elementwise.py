import numpy as np
x = np.ones(6_000_000)
while True: x = np.sqrt(x * 1.0001 + x)
