"""Time series: rolling means, resampling, strings."""

import numpy as np
import pandas as pd


def main():
    n = 100_000
    s = pd.Series(np.arange(n) % 1440 / 10, index=pd.date_range("2024-01-01", periods=n, freq="min"))
    rolling = s.rolling(60).mean()
    daily = s.resample("D").agg(["mean", "max"])
    words = pd.Series([f"Item-{k % 500:03d}" for k in range(30_000)])
    upper = words.str.upper().str.replace("ITEM-", "x")
    return [round(float(rolling.sum()), 3), round(float(daily["mean"].sum()), 4), len(daily), int(upper.nunique())]


main()
