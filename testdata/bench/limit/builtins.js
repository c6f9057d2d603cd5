const list = Array.from({ length: 1_000_000 }, (_, i) => i);
for (;;) list.indexOf(-1) + list.includes(-1) + list.lastIndexOf(-1);
