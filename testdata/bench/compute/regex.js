// Regular expressions over a log: captures, alternatives, replacement.
(() => {
  const lines = [];
  for (let i = 0; i < 1800; i++) {
    lines.push(`2026-${String((i % 12) + 1).padStart(2, "0")}-15T10:${String(i % 60).padStart(2, "0")}:07Z ` +
      `${["INFO", "WARN", "ERROR"][i % 3]} host-${i % 17}.example.org GET /items/${i}?page=${i % 9}&sort=name 10.0.${i % 256}.${(i * 7) % 256} ${i * 3}ms`);
  }
  const text = lines.join("\n");
  const found = {};
  for (const m of text.matchAll(/^(\d{4})-(\d\d)-(\d\d)T\S+ (INFO|WARN|ERROR) (\S+)/gm)) {
    const key = m[4] + m[2];
    found[key] = (found[key] ?? 0) + m[5].length;
  }
  const addresses = text.match(/\b(?:\d{1,3}\.){3}\d{1,3}\b/g).length;
  const slow = [...text.matchAll(/(?<time>\d+)ms$/gm)].filter((m) => m.groups.time > 2000).length;
  const hidden = text.replace(/([?&])(page|sort)=([^&\s]*)/g, (_, mark, name, value) => `${mark}${name}=${value.length}`);
  return [Object.keys(found).length, found.ERROR12, addresses, slow, hidden.length];
})()
