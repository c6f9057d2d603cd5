/*---
rows = [1]
attack = "WebAssembly functions without a loop or recursion, each of which calls the one before twice"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 50
---*/
// A few bytes of an assembler: sections of a module.
const leb = (n) => { const out = []; do { const b = n & 127; n >>>= 7; out.push(n ? b | 128 : b); } while (n); return out; };
const vec = (items) => [...leb(items.length), ...items.flat()];
const str = (s) => vec([...s].map((c) => c.charCodeAt(0)));
const section = (id, items) => { const body = vec(items); return [id, ...leb(body.length), ...body]; };
const body = (...code) => { const b = [0, ...code, 11]; return [...leb(b.length), ...b]; };
const wasm = (...sections) => new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, ...sections.flat()]);
const depth = 64, functions = [[0]], bodies = [body(1)];
for (let i = 1; i < depth; i++) { functions.push([0]); bodies.push(body(16, ...leb(i - 1), 16, ...leb(i - 1))); }
const bytes = wasm(section(1, [[96, 0, 0]]), section(3, functions), section(7, [[...str("f"), 0, ...leb(depth - 1)]]), section(10, bodies));
new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f();
