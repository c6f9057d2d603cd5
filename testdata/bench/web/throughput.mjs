// What the web's classes get done: the same program in node and in the guest.
// Each case runs in batches; the fastest batch counts, as what slows one down
// is the machine. It prints nanoseconds for one round of each case, as JSON,
// with a sum of what came out, which has to be the same everywhere.
const words = "the quick brown fox jumps over a lazy dog while ten zebras quietly graze beside an old stone bridge".split(" ");
let seed = 1;
const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
const sentence = (n) => {
  let text = "";
  while (text.length < n) text += words[random(words.length)] + (random(20) === 0 ? ", naïve – 文字 " : " ");
  return text.slice(0, n);
};
const text = sentence(4096);
const ascii = text.replace(/[^\x00-\x7f]/g, "-");
const utf8 = new TextEncoder().encode(text);
const document = {
  users: Array.from({ length: 60 }, (_, i) => ({
    id: i, name: sentence(12), email: `user${i}@example.com`, active: i % 3 === 0, score: i * 1.25, tags: [words[i % 7], words[i % 5]], address: { city: "Aachen", zip: "52062" },
  })),
};
const json = JSON.stringify(document);
const small = new Uint8Array(1024).map((_, i) => i * 7);
const large = new Uint8Array(1 << 20).map((_, i) => i * 7);
const block = new TextEncoder().encode(sentence(65536)).slice(0, 65536);
const urls = [
  ["https://example.com/"],
  ["https://user:pass@api.example.com:8443/v1/items/42?fields=name,price&sort=-date&page=3#top"],
  ["../images/logo%20large.png?v=2", "https://www.example.org/site/pages/index.html"],
  ["http://[2001:db8::1]:3000/a/./b/../c"],
];

async function whole(stream) {
  const reader = stream.getReader();
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return length;
    length += value.length;
  }
}

const cases = {
  "URL": () => {
    let sum = 0;
    for (const [input, base] of urls) {
      const url = new URL(input, base);
      sum += url.href.length + url.hostname.length + url.pathname.length;
    }
    return sum;
  },
  "URLSearchParams": () => {
    const params = new URLSearchParams("a=1&b=two+words&c=%C3%A9&list=1&list=2");
    params.append("d", "x y&z");
    return params.toString().length + params.getAll("list").length;
  },
  "TextEncoder ASCII": () => new TextEncoder().encode(ascii).length,
  "TextEncoder": () => new TextEncoder().encode(text).length,
  "TextDecoder": () => new TextDecoder().decode(utf8).length,
  "JSON.parse": () => JSON.parse(json).users.length,
  "JSON.stringify": () => JSON.stringify(document).length,
  "SHA-256 1 KB": async () => new Uint8Array(await crypto.subtle.digest("SHA-256", small))[0],
  "SHA-256 1 MB": async () => new Uint8Array(await crypto.subtle.digest("SHA-256", large))[0],
  "gzip 64 KB": async () => {
    const gzip = new CompressionStream("gzip");
    const writer = gzip.writable.getWriter();
    writer.write(block);
    writer.close();
    return (await whole(gzip.readable)) > 1000 ? 1 : 0;
  },
  "Response.json": async () => {
    const response = Response.json(document.users[0], { headers: { "x-request-id": "42" } });
    const { name, tags } = await response.json();
    return name.length + tags.length + response.status;
  },
};

const BATCH = 20; // milliseconds
const BATCHES = 8;
const results = {};
for (const [name, round] of Object.entries(cases)) {
  let count = 1;
  let best = Infinity;
  let value;
  for (let batch = 0; batch < BATCHES;) {
    const start = performance.now();
    for (let i = 0; i < count; i++) {
      value = round();
      if (typeof value === "object") value = await value;
    }
    const took = performance.now() - start;
    if (took < BATCH / 2 && count < 1e7) {
      count = took > 1 ? Math.ceil((count * BATCH) / took) : count * 10;
      continue;
    }
    best = Math.min(best, (took * 1e6) / count);
    batch++;
  }
  results[name] = { ns: best, value };
}
console.log(JSON.stringify(results));
