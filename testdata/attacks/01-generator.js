/*---
rows = [1]
attack = "loops inside of generators, spread, destructuring and iterator helpers"
outcomes = ["exceededCpu", "exceededMemory"]
[request.limits]
cpu_ms = 50
memory_mb = 64
---*/
const endless = { *[Symbol.iterator]() { for (;;) yield; } };
for (const x of endless) for (const y of endless) ;
