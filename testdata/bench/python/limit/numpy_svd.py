import numpy as np
x = np.random.rand(900, 900)
while True: np.linalg.svd(x)
