const list = new Array(1_000_000).fill("item");
for (;;) list.join(", ");
