/*---
rows = [5]
attack = "recursion in WebAssembly, in JavaScript through WebAssembly, and at the end of both"
match = "^\"RangeError RangeError alive\"$"
[request.limits]
cpu_ms = 5000
---*/
// A few bytes of an assembler: sections of a module.
const leb = (n) => { const out = []; do { const b = n & 127; n >>>= 7; out.push(n ? b | 128 : b); } while (n); return out; };
const vec = (items) => [...leb(items.length), ...items.flat()];
const str = (s) => vec([...s].map((c) => c.charCodeAt(0)));
const section = (id, items) => { const body = vec(items); return [id, ...leb(body.length), ...body]; };
const body = (...code) => { const b = [0, ...code, 11]; return [...leb(b.length), ...b]; };
const wasm = (...sections) => new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, ...sections.flat()]);
const bytes = wasm(section(1, [[96, 0, 0], [96, 1, 126, 1, 126]]), section(2, [[...str("a"), ...str("f"), 0, 0]]), section(3, [[1], [0]]),
  section(7, [[...str("deep"), 0, 1], [...str("back"), 0, 2]]), section(10, [body(32, 0, 66, 1, 124, 16, 1), body(16, 0)]));
const names = [];
const note = (f) => { try { f(); names.push("none"); } catch (e) { names.push(e.name); } };
const module = new WebAssembly.Module(bytes);
let g = new WebAssembly.Instance(module, { a: { f: () => g.back() } }).exports;
note(() => g.deep(0n));
note(() => g.back());
let depth = 0;
const both = new WebAssembly.Instance(module, { a: { f() { if (depth++ < 20) { try { both.deep(0n); } catch {} both.back(); } } } }).exports;
both.back();
names.push("alive");
names.join(" ");
