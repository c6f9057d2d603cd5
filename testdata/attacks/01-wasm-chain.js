/*---
rows = [1]
attack = "a chain of WebAssembly instances, each of which calls the one before twice"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 100
---*/
// A few bytes of an assembler: sections of a module.
const leb = (n) => { const out = []; do { const b = n & 127; n >>>= 7; out.push(n ? b | 128 : b); } while (n); return out; };
const vec = (items) => [...leb(items.length), ...items.flat()];
const str = (s) => vec([...s].map((c) => c.charCodeAt(0)));
const section = (id, items) => { const body = vec(items); return [id, ...leb(body.length), ...body]; };
const body = (...code) => { const b = [0, ...code, 11]; return [...leb(b.length), ...b]; };
const wasm = (...sections) => new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, ...sections.flat()]);
const bytes = wasm(section(1, [[96, 0, 0]]), section(2, [[...str("a"), ...str("f"), 0, 0]]), section(3, [[0]]),
  section(7, [[...str("f"), 0, 1]]), section(10, [body(16, 0, 16, 0)]));
const module = new WebAssembly.Module(bytes);
let f = () => {};
for (let i = 0; i < 64; i++) ({ f } = new WebAssembly.Instance(module, { a: { f } }).exports);
f();
