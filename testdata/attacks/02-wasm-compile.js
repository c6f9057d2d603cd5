/*---
rows = [2]
attack = "large WebAssembly modules, each another, compiled one after the other"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 500
memory_mb = 256
---*/
// A few bytes of an assembler: sections of a module.
const leb = (n) => { const out = []; do { const b = n & 127; n >>>= 7; out.push(n ? b | 128 : b); } while (n); return out; };
const vec = (items) => [...leb(items.length), ...items.flat()];
const str = (s) => vec([...s].map((c) => c.charCodeAt(0)));
const section = (id, items) => { const body = vec(items); return [id, ...leb(body.length), ...body]; };
const body = (...code) => { const b = [0, ...code, 11]; return [...leb(b.length), ...b]; };
const wasm = (...sections) => new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, ...sections.flat()]);
const add = new Array(20000).fill([65, 1, 106]).flat();
for (let seed = 0; ; seed++) {
  const bodies = [];
  for (let i = 0; i < 40; i++) bodies.push(body(65, i & 63, ...add, 65, seed & 63, 106, 65, (seed >> 6) & 63, 106, 26));
  const bytes = wasm(section(1, [[96, 0, 0]]), section(3, bodies.map(() => [0])), section(10, bodies));
  new WebAssembly.Module(bytes);
}
