const f = (n) => (n === 0 ? 0 : f(n - 1));
for (;;) f(500);
