import scipy.linalg, numpy as np
x = np.random.rand(700, 700)
while True: scipy.linalg.expm(x)
