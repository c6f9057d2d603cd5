const big = (1n << 600_000n) - 12345n, half = (1n << 300_000n) + 6789n;
for (;;) big / half;
