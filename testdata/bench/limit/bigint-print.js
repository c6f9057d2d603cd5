const big = (1n << 800_000n) - 1n;
for (;;) big.toString();
