/*---
rows = [4, 6]
attack = "WebAssembly instances, memories, tables and globals without end, none given up"
outcomes = ["ok", "exceededMemory", "exceededCpu"]
[request.limits]
memory_mb = 64
cpu_ms = 5000
---*/
// A few bytes of an assembler: sections of a module.
const leb = (n) => { const out = []; do { const b = n & 127; n >>>= 7; out.push(n ? b | 128 : b); } while (n); return out; };
const vec = (items) => [...leb(items.length), ...items.flat()];
const str = (s) => vec([...s].map((c) => c.charCodeAt(0)));
const section = (id, items) => { const body = vec(items); return [id, ...leb(body.length), ...body]; };
const body = (...code) => { const b = [0, ...code, 11]; return [...leb(b.length), ...b]; };
const wasm = (...sections) => new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, ...sections.flat()]);
const module = new WebAssembly.Module(wasm(section(4, [[112, 0, ...leb(1000)]]), section(5, [[0, 0]])));
const kept = [];
try {
  for (;;) kept.push(new WebAssembly.Instance(module), new WebAssembly.Memory({ initial: 0 }), new WebAssembly.Global({ value: "i32", mutable: true }, 1),
    new WebAssembly.Table({ element: "externref", initial: 10 }, kept));
} catch (e) { if (!(e instanceof RangeError)) throw e; }
