/*---
rows = [4]
attack = "many small objects that are all kept"
outcomes = ["exceededMemory"]
[request.limits]
memory_mb = 32
cpu_ms = 3000
---*/
const kept = [];
for (let i = 0; ; i++) kept.push({ i, self: kept });
