"""Groups of a table: sums, means and counts."""

import numpy as np
import pandas as pd


def main():
    n = 300_000
    i = np.arange(n)
    d = pd.DataFrame({"key": i * 7919 % 1000, "kind": np.array(["a", "b", "c"], dtype=object)[i % 3], "x": i % 101 / 7, "y": i % 13})
    g = d.groupby("key").agg({"x": "sum", "y": "mean"})
    k = d.groupby("kind")["x"].agg(["mean", "count", "max"])
    return [round(float(g["x"].sum()), 3), len(g), round(float(k["mean"].sum()), 4), int(k["count"].iloc[0])]


main()
