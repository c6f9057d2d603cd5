/*---
rows = [4, 37]
attack = "buffers that are never written, whose pages need no memory but whose sizes add up"
outcomes = ["exceededMemory"]
[request.limits]
memory_mb = 64
cpu_ms = 2000
---*/
const kept = [];
for (;;) kept.push(new ArrayBuffer(1 << 20));
