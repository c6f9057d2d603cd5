/*---
rows = [2]
attack = "bulk copies of memory, each a single instruction"
outcomes = ["exceededCpu", "exceededMemory"]
[request.limits]
cpu_ms = 50
memory_mb = 64
---*/
const b = new Uint8Array(8 << 20);
for (;;) { b.copyWithin(1, 0); b.fill(7); b.set(b.subarray(0, 4 << 20), 1 << 20); b.slice(); b.reverse(); b.indexOf(9); }
