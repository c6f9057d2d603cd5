"""Sums, deviations and maxima along both axes."""

import numpy as np


def main():
    x = (np.arange(2_000_000) % 1013).reshape(2000, 1000).astype(np.float64)
    rows, columns = x.mean(axis=1), x.std(axis=0)
    return [round(float(rows.sum() + columns.sum()), 4), float(x.max()), int(x.argmin()), round(float(np.median(x[:200])), 4)]


main()
