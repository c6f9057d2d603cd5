const value = Array.from({ length: 60_000 }, (_, i) => ({ i, text: "line\n" + i, nested: [i / 3] }));
for (;;) JSON.stringify(value, null, 2);
