const big = (1n << 400_000n) - 12345n;
for (;;) big * big;
