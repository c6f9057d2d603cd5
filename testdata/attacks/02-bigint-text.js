/*---
rows = [2]
attack = "a big integer written in decimal, and read again"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 50
memory_mb = 64
---*/
const n = (1n << 3000000n) - 1n;
for (;;) BigInt(n.toString());
