"""A table written as CSV and read back."""

import io

import numpy as np
import pandas as pd


def main():
    n = 20_000
    i = np.arange(n)
    d = pd.DataFrame({"id": i, "x": i * 0.37, "name": [f"name {k % 100}" for k in range(n)], "day": pd.date_range("2024-01-01", periods=n, freq="min")})
    text = d.to_csv(index=False)
    back = pd.read_csv(io.StringIO(text), parse_dates=["day"])
    assert (back["x"].round(6) == d["x"].round(6)).all() and (back["day"] == d["day"]).all()
    return [len(text), len(back)]


main()
