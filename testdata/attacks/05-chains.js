/*---
rows = [5]
attack = "prototype chains, scope chains and chains of promises, a hundred thousand long"
outcomes = ["ok", "exceededCpu", "exceededMemory"]
match = "^null$|^\"done"
[request.limits]
cpu_ms = 1000
memory_mb = 200
---*/
let p = {}; for (let i = 0; i < 100000; i++) p = Object.create(p);
const missing = p.missing; p instanceof Array;
let q = Promise.resolve(1); for (let i = 0; i < 100000; i++) q = q.then((x) => x + 1);
let n = Promise.resolve(2); for (let i = 0; i < 20000; i++) { const inner = n; n = new Promise((r) => r(inner)); }
let s = ""; for (let i = 0; i < 100000; i++) s += i; s.charCodeAt(5);
let rope = "x"; for (let i = 0; i < 200000; i++) rope = i % 2 ? rope + "a" : "b" + rope; rope.length;
`done ${await q} ${await n} ${missing} ${rope.indexOf("x")}`;
