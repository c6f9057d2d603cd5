/*---
rows = [4]
attack = "clones of a graph in which everything refers to everything"
outcomes = ["exceededMemory"]
[request.limits]
memory_mb = 32
cpu_ms = 3000
---*/
let a = [1];
for (let i = 0; ; i++) a = [structuredClone(a), structuredClone({ a }), i];
