/*---
rows = [4]
attack = "big integers that grow until nothing is left"
outcomes = ["exceededMemory", "exception", "exceededCpu"]
[request.limits]
memory_mb = 32
cpu_ms = 2000
---*/
const kept = [];
let n = 1n;
for (;;) { n <<= 100000n; kept.push(n); }
