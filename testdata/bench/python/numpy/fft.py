"""Fourier transforms, there and back."""

import numpy as np


def main():
    t = np.arange(1 << 17) / (1 << 17)
    x = np.sin(2 * np.pi * 50 * t) + 0.5 * np.sin(2 * np.pi * 1200 * t)
    f = np.fft.rfft(x)
    assert np.allclose(np.fft.irfft(f), x)
    g = np.fft.fft2(x[:1 << 16].reshape(256, 256))
    return [int(np.abs(f).argmax()), round(float(np.abs(g).sum()), 2)]


main()
