// Sorting, Map and Set.
(() => {
  let seed = 42;
  const random = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0);
  const numbers = Array.from({ length: 9000 }, random);
  const sorted = numbers.toSorted((a, b) => a - b);
  const groups = new Map();
  for (const n of sorted) {
    const key = `g${n % 1009}`;
    const list = groups.get(key);
    if (list) list.push(n);
    else groups.set(key, [n]);
  }
  const words = numbers.map((n) => n.toString(36)).sort();
  const unique = new Set(words.map((w) => w.slice(0, 3)));
  for (const key of groups.keys()) if (groups.get(key).length < 9) groups.delete(key);
  return [sorted[4500], groups.size, words[17], unique.size];
})()
