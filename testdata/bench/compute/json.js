// JSON in both directions, with strings that need escapes.
(() => {
  const orders = Array.from({ length: 250 }, (_, i) => ({
    id: i,
    customer: { name: `Müller & Sohn ${i}`, address: ["Hauptstraße 1", "\"am Markt\"", null] },
    lines: [1, 2, 3].map((k) => ({ article: `A-${i * k}`, price: (i * k) / 8, taxed: k % 2 === 0 })),
    note: "first line\nsecond\tline",
  }));
  let length = 0, total = 0;
  for (let round = 0; round < 8; round++) {
    const text = JSON.stringify(orders, null, round & 1 ? 2 : 0);
    length += text.length;
    for (const order of JSON.parse(text)) total += order.lines[round % 3].price;
  }
  return [length, total];
})()
