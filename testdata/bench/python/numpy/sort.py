"""Sorted values, order, distinct ones, places in them."""

import numpy as np


def main():
    x = np.random.default_rng(3).random(300_000)
    ordered = np.sort(x)
    order = np.argsort(x, kind="stable")
    distinct = np.unique((x * 1000).astype(np.int64))
    assert (x[order] == ordered).all()
    return [int(np.searchsorted(ordered, 0.5)), len(distinct)]


main()
