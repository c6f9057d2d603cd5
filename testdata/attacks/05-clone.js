/*---
rows = [5]
attack = "structuredClone and console.log of what is nested very deep"
outcomes = ["ok", "exceededCpu", "exceededMemory"]
match = "^null$|^\"done"
[request.limits]
cpu_ms = 1000
memory_mb = 200
---*/
let a = []; for (let i = 0; i < 200000; i++) a = [a];
let o = {}; for (let i = 0; i < 200000; i++) o = { o };
let m = new Map(); for (let i = 0; i < 50000; i++) m = new Map([[m, m]]);
let caught = 0;
for (const x of [a, o, m]) { for (const f of [structuredClone, (x) => console.log(x), (x) => new Blob([x]), (x) => String(x), (x) => JSON.stringify(x)]) { try { f(x); } catch { caught++; } } }
"done " + caught;
