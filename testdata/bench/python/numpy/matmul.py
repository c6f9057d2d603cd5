"""Products of matrices."""

import numpy as np


def main():
    x = (np.arange(400 * 400) % 97).reshape(400, 400) / 97
    for _ in range(3):
        x = x @ x
        x /= np.abs(x).max()
    return round(float(x.sum()), 4)


main()
