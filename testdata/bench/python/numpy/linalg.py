"""Singular values, a system of equations, a determinant."""

import numpy as np


def main():
    x = np.random.default_rng(7).random((160, 160)) + np.eye(160)
    s = np.linalg.svd(x, compute_uv=False)
    y = np.linalg.solve(x, np.ones(160))
    sign, log = np.linalg.slogdet(x)
    assert np.allclose(x @ y, 1)
    return [round(float(s[0]), 4), round(float(log), 4)]


main()
