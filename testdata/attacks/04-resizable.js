/*---
rows = [4]
attack = "resizable buffers whose maximum is far more than the limit"
outcomes = ["exceededMemory", "exception"]
[request.limits]
memory_mb = 64
cpu_ms = 2000
---*/
const kept = [];
for (;;) { const b = new ArrayBuffer(8, { maxByteLength: 8 << 20 }); b.resize(8 << 20); kept.push(b, b.slice(), b.transfer(4 << 20)); }
