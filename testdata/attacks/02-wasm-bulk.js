/*---
rows = [2]
attack = "memory.copy, memory.fill and memory.init of megabytes, in a WebAssembly loop"
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
const n = [65, 128, 128, 128, 2];
const bytes = wasm(section(1, [[96, 0, 0]]), section(3, [[0]]), section(5, [[0, ...leb(256)]]), section(7, [[...str("f"), 0, 0]]),
  section(10, [body(3, 64, 65, 0, 65, 1, ...n, 252, 11, 0, 65, 1, 65, 0, ...n, 252, 10, 0, 0, 12, 0, 11)]));
new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f();
