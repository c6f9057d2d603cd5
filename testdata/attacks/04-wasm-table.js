/*---
rows = [4]
attack = "tables of the greatest size, made and grown in WebAssembly and from outside"
match = "^\"refused\"$"
[request.limits]
cpu_ms = 4000
---*/
// A few bytes of an assembler: sections of a module.
const leb = (n) => { const out = []; do { const b = n & 127; n >>>= 7; out.push(n ? b | 128 : b); } while (n); return out; };
const vec = (items) => [...leb(items.length), ...items.flat()];
const str = (s) => vec([...s].map((c) => c.charCodeAt(0)));
const section = (id, items) => { const body = vec(items); return [id, ...leb(body.length), ...body]; };
const body = (...code) => { const b = [0, ...code, 11]; return [...leb(b.length), ...b]; };
const wasm = (...sections) => new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, ...sections.flat()]);
const refused = (f) => { try { f(); } catch (e) { if (e instanceof RangeError) return true; throw e; } return false; };
if (!refused(() => new WebAssembly.Table({ element: "anyfunc", initial: 10_000_000 }))) throw new Error("made");
if (!refused(() => new WebAssembly.Table({ element: "anyfunc", initial: 0 }).grow(0xffffffff))) throw new Error("grown");
if (!refused(() => new WebAssembly.Instance(new WebAssembly.Module(wasm(section(4, [[112, 0, ...leb(9_000_000)]])))))) throw new Error("declared");
const bytes = wasm(section(1, [[96, 0, 1, 127]]), section(3, [[0]]), section(4, [[111, 0, 0]]), section(7, [[...str("f"), 0, 0]]),
  section(10, [body(3, 64, 208, 111, 65, 128, 128, 4, 252, 15, 0, 65, 127, 71, 13, 0, 11, 252, 16, 0)]));
const kept = [];
for (let i = 0; i < 20; i++) {
  const f = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f;
  kept.push(f);
  const size = f();
  if (size > 1 << 22 || i > 0 && size > 0) throw new Error(`${size} elements in instance ${i}`);
}
"refused";
