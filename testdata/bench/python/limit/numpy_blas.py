import numpy as np
x = np.ones((1500, 1500))
while True: x = x @ x
