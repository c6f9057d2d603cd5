"""Two tables joined, sorted and pivoted."""

import numpy as np
import pandas as pd


def main():
    i = np.arange(120_000)
    left = pd.DataFrame({"id": i * 31 % 20_000, "x": i % 17, "part": i % 5})
    right = pd.DataFrame({"id": np.arange(0, 20_000, 2), "rate": np.arange(10_000) % 11 / 10})
    m = left.merge(right, on="id", how="inner").sort_values(["part", "x", "id"])
    p = m.pivot_table(index="part", columns="x", values="rate", aggfunc="mean")
    return [len(m), round(float(p.to_numpy().sum()), 4), int(m["id"].iloc[1000])]


main()
