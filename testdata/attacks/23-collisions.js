/*---
rows = [23, 2]
attack = "keys that share a hash: maps, objects, parsed JSON, URLSearchParams and Headers with as many of them"
outcomes = ["ok", "exceededCpu", "exceededMemory"]
[request.limits]
cpu_ms = 500
memory_mb = 128
---*/
const keys = [];
for (let i = 0; i < 50000; i++) keys.push(i * 2 ** 32, "k" + "\0".repeat(i % 50) + i, -i - 0.5, i + 2 ** 31);
const m = new Map(keys.map((k) => [k, 1])), s = new Set(keys), o = {};
for (const k of keys) { m.has(k); s.delete(k); o[k] = 1; }
const p = new URLSearchParams(); for (let i = 0; i < 20000; i++) p.append("a", i); p.sort(); p.getAll("a"); for (let i = 0; i < 20000; i++) p.set("a", i);
const h = new Headers(); for (let i = 0; i < 20000; i++) h.append("x-" + i, "1"); [...h];
JSON.parse(JSON.stringify(o));
1;
