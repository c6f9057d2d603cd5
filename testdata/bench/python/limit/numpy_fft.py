import numpy as np
x = np.random.rand(1 << 21)
while True: np.fft.fft(x)
