/*---
rows = [2]
attack = "structuredClone of a large and of a wide graph, in a loop"
outcomes = ["exceededCpu", "exceededMemory"]
[request.limits]
cpu_ms = 50
memory_mb = 96
---*/
const node = { m: new Map(), s: new Set(), b: new Uint8Array(1000) };
for (let i = 0; i < 10000; i++) { node.m.set(i, { i, node }); node.s.add({ i }); }
for (;;) structuredClone(node);
