/*---
rows = [2]
attack = "JSON of large structures, with revivers and indentation"
outcomes = ["exceededCpu", "exceededMemory"]
[request.limits]
cpu_ms = 50
memory_mb = 64
---*/
const a = Array.from({ length: 50000 }, (_, i) => ({ i, text: "x".repeat(20) }));
for (;;) JSON.parse(JSON.stringify(a, (k, v) => v, 10), (k, v) => v);
