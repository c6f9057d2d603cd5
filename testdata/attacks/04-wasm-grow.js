/*---
rows = [4]
attack = "memory.grow until there is no more, in WebAssembly and from outside, and writing to all of it"
outcomes = ["ok", "exceededMemory"]
[request.limits]
memory_mb = 64
cpu_ms = 4000
---*/
// A few bytes of an assembler: sections of a module.
const leb = (n) => { const out = []; do { const b = n & 127; n >>>= 7; out.push(n ? b | 128 : b); } while (n); return out; };
const vec = (items) => [...leb(items.length), ...items.flat()];
const str = (s) => vec([...s].map((c) => c.charCodeAt(0)));
const section = (id, items) => { const body = vec(items); return [id, ...leb(body.length), ...body]; };
const body = (...code) => { const b = [0, ...code, 11]; return [...leb(b.length), ...b]; };
const wasm = (...sections) => new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, ...sections.flat()]);
const memory = new WebAssembly.Memory({ initial: 1 });
let pages = 1;
try { for (;;) { memory.grow(16); pages += 16; new Uint8Array(memory.buffer).fill(1, (pages - 16) * 65536); } } catch (e) { if (!(e instanceof RangeError)) throw e; }
const bytes = wasm(section(1, [[96, 0, 1, 127]]), section(3, [[0]]), section(5, [[0, 0]]), section(7, [[...str("f"), 0, 0]]),
  section(10, [body(3, 64, 65, 1, 64, 0, 65, 127, 71, 13, 0, 11, 63, 0)]));
const more = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f();
if (pages * 65536 > 64 << 20 || more * 65536 > 64 << 20) throw new Error(`${pages} and ${more} pages of 64 KiB`);
