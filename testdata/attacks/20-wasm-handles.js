/*---
rows = [20]
attack = "objects of WebAssembly where others are wanted, after they were given up, and with prototypes that lie"
match = "^\"survived\"$"
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
const bytes = wasm(section(1, [[96, 1, 112, 1, 112]]), section(2, [[...str("a"), ...str("f"), 0, 0], [...str("a"), ...str("m"), 2, 0, 1], [...str("a"), ...str("t"), 1, 112, 0, 1], [...str("a"), ...str("g"), 3, 127, 1]]),
  section(7, [[...str("f"), 0, 0], [...str("m"), 2, 0], [...str("t"), 1, 0], [...str("g"), 3, 0]]));
const module = new WebAssembly.Module(bytes);
const good = () => ({ f: (x) => x, m: new WebAssembly.Memory({ initial: 1 }), t: new WebAssembly.Table({ element: "anyfunc", initial: 1 }), g: new WebAssembly.Global({ value: "i32", mutable: true }) });
const things = () => { const g = good(); return [g.f, g.m, g.t, g.g, null, undefined, 1, 1n, "x", Symbol(), {}, [], module, Object.create(g.m), Object.create(WebAssembly.Memory.prototype), new Proxy(g.t, {}), WebAssembly.Memory.prototype]; };
const attempt = (f) => { try { return f(); } catch (e) { if (!(e instanceof TypeError || e instanceof RangeError || e instanceof WebAssembly.LinkError || e instanceof WebAssembly.RuntimeError || e instanceof DOMException)) throw e; } };
for (const key of ["f", "m", "t", "g"]) for (const thing of things()) {
  const made = attempt(() => new WebAssembly.Instance(module, { a: { ...good(), [key]: thing } }));
  if (!made) continue;
  for (const v of things()) { attempt(() => made.exports.f(v)); attempt(() => made.exports.t.set(0, v)); attempt(() => made.exports.t.grow(1, v)); attempt(() => { made.exports.g.value = v; }); attempt(() => made.exports.m.grow(v)); }
}
for (const C of [WebAssembly.Memory, WebAssembly.Table, WebAssembly.Global, WebAssembly.Instance, WebAssembly.Module]) {
  for (const name of Object.getOwnPropertyNames(C.prototype)) {
    const d = Object.getOwnPropertyDescriptor(C.prototype, name);
    for (const thing of things()) for (const f of [d.value, d.get, d.set]) if (typeof f === "function" && name !== "constructor") attempt(() => f.call(thing, 0, thing));
  }
}
const { m } = good();
const { buffer } = m;
attempt(() => buffer.transfer());
attempt(() => structuredClone(buffer, { transfer: [buffer] }));
attempt(() => buffer.resize(10));
if (buffer.byteLength !== 65536) throw new Error("the buffer was taken away");
m.grow(1);
if (buffer.byteLength !== 0 || m.buffer.byteLength !== 131072) throw new Error("the buffer outlived the growth");
"survived";
