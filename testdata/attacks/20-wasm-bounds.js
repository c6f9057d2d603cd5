/*---
rows = [20]
attack = "loads, stores and bulk operations at and past the edges of a WebAssembly memory that lies in the interpreter's own"
match = "^\"\\d+ traps\"$"
[request.limits]
cpu_ms = 8000
---*/
// A few bytes of an assembler: sections of a module.
const leb = (n) => { const out = []; do { const b = n & 127; n >>>= 7; out.push(n ? b | 128 : b); } while (n); return out; };
const vec = (items) => [...leb(items.length), ...items.flat()];
const str = (s) => vec([...s].map((c) => c.charCodeAt(0)));
const section = (id, items) => { const body = vec(items); return [id, ...leb(body.length), ...body]; };
const body = (...code) => { const b = [0, ...code, 11]; return [...leb(b.length), ...b]; };
const wasm = (...sections) => new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, ...sections.flat()]);
// For each access: f(address) with a static offset of 0, 1, 65535, 65536 and 2^32 - 1.
const accesses = [[40, 4, 127], [41, 8, 126], [42, 4, 125], [43, 8, 124], [44, 1, 127], [46, 2, 127], [48, 1, 126], [52, 4, 126], [54, 4, 127], [55, 8, 126], [58, 1, 127], [59, 2, 127], [60, 1, 126], [62, 4, 126]];
const offsets = [0, 1, 65535, 65536, 2 ** 32 - 1];
const big = (n) => { const out = []; n = BigInt(n); do { let b = Number(n & 127n); n >>= 7n; if (n) b |= 128; out.push(b); } while (n); return out; };
const functions = [], bodies = [], names = [], plan = [];
for (const [op, size, type] of accesses) for (const offset of offsets) {
  const store = op >= 54, zero = { 127: [65, 0], 126: [66, 0] }[type];
  plan.push({ size, offset });
  functions.push([0]);
  names.push([...str(`f${names.length}`), 0, ...leb(names.length)]);
  bodies.push(store ? body(32, 0, ...zero, op, 0, ...big(offset)) : body(32, 0, op, 0, ...big(offset), 26));
}
const bulk = plan.length;
functions.push([1], [1]);
names.push([...str("fill"), 0, ...leb(bulk)], [...str("copy"), 0, ...leb(bulk + 1)]);
bodies.push(body(32, 0, 32, 1, 32, 2, 252, 11, 0), body(32, 0, 32, 1, 32, 2, 252, 10, 0, 0));
const bytes = wasm(section(1, [[96, 1, 127, 0], [96, 3, 127, 127, 127, 0]]), section(3, functions), section(5, [[1, 1, 3]]),
  section(7, [...names, [...str("m"), 2, 0]]), section(10, bodies));
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
let traps = 0;
const check = (want, f) => {
  let trapped = false;
  try { f(); } catch (e) { if (!(e instanceof WebAssembly.RuntimeError)) throw e; trapped = true; traps++; }
  if (trapped !== want) throw new Error(`${trapped ? "trapped" : "did not trap"}: ${f}`);
};
for (let pages = 1; pages <= 3; pages++) {
  const end = pages * 65536;
  for (let i = 0; i < plan.length; i++) {
    const { size, offset } = plan[i];
    for (const at of [0, 1, end - 9, end - 8, end - 7, end - 4, end - 3, end - 2, end - 1, end, end + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 65536, 2 ** 32 - 8, 2 ** 32 - 1])
      check(at + offset + size > end, () => exports[`f${i}`](at));
  }
  for (const [to, n] of [[0, end], [0, end + 1], [end, 0], [end + 1, 0], [end - 1, 1], [end - 1, 2], [1, 2 ** 32 - 1], [2 ** 32 - 1, 1], [2 ** 32 - 1, 2 ** 32 - 1]]) {
    check(to + n > end, () => exports.fill(to, 0, n));
    check(to + n > end, () => exports.copy(to, 0, n));
    check(to + n > end, () => exports.copy(0, to, n));
  }
  if (pages < 3) exports.m.grow(1);
}
`${traps} traps`;
