const value = Array.from({ length: 50_000 }, (_, i) => ({ i, text: "t" + i }));
for (;;) structuredClone(value);
