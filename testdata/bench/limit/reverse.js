const list = new Float64Array(4_000_000).fill(1.5);
for (;;) list.reverse(), list.indexOf(2), list.fill(1.5);
