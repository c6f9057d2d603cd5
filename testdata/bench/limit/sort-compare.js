const words = Array.from({ length: 200_000 }, (_, i) => ((i * 7919) % 1000003).toString(36));
for (;;) words.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
