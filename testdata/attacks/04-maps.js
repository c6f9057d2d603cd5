/*---
rows = [4]
attack = "Map, Set, WeakMap and symbols without an end"
outcomes = ["exceededMemory"]
[request.limits]
memory_mb = 32
cpu_ms = 3000
---*/
const m = new Map(), s = new Set(), w = new WeakMap(), o = {};
for (let i = 0; ; i++) { const k = { i }; m.set(k, i); s.add(i + 0.5); w.set(k, k); o[Symbol(i)] = i; Symbol.for("k" + i); }
