/*---
rows = [2]
attack = "powers and products of big integers, one operation each"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 50
memory_mb = 64
---*/
let n = 3n ** 100000n;
for (;;) n = n * n + 10n ** 50000n;
