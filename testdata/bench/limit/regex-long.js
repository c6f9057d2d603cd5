const text = "ab".repeat(500_000);
for (;;) text.search(/a[^c]*c/);
