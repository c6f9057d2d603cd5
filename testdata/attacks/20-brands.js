/*---
rows = [20, 19]
attack = "platform methods on objects of the wrong kind, forged prototypes, subclasses that never call super, and re-entrancy"
outcomes = ["ok", "exceededCpu", "exceededMemory"]
[request.limits]
cpu_ms = 3000
memory_mb = 128
---*/
let n = 0;
const values = [undefined, null, 0, -1, 1.5, NaN, 2 ** 53, "x", Symbol("s"), 1n, {}, [], () => {}, new Proxy({}, {}), new Proxy(function () {}, {}), new Uint8Array(4), new ArrayBuffer(4), new Map(), Promise.resolve(1), Object.create(null)];
const names = Object.getOwnPropertyNames(globalThis).filter((k) => typeof globalThis[k] === "function" && !["eval", "queueMicrotask", "setInterval", "setTimeout"].includes(k));
for (const name of names) {
  const C = globalThis[name];
  const instances = [];
  for (const v of values) { for (const make of [() => new C(v), () => new C(v, v), () => Reflect.construct(C, [v], Object), () => Reflect.construct(Object, [], C)]) { try { instances.push(make()); } catch {} n++; } }
  const fakes = [Object.create(C.prototype ?? null), ...values, ...instances.slice(0, 6)];
  for (const k of Reflect.ownKeys(C.prototype ?? {})) {
    if (["then", "forEach"].includes(k)) continue;
    const d = Reflect.getOwnPropertyDescriptor(C.prototype, k);
    for (const f of [d.value, d.get, d.set]) if (typeof f === "function") for (const t of fakes) { for (const args of [[], [t], [values[5], values[6]], [2 ** 31, -1]]) { try { const r = Reflect.apply(f, t, args); if (r instanceof Promise) r.catch(() => {}); } catch {} n++; } }
  }
}
`survived ${n}`;
