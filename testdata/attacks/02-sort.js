/*---
rows = [2]
attack = "sorts with comparators that lie, change the array, or never agree"
outcomes = ["exceededCpu", "exceededMemory"]
[request.limits]
cpu_ms = 50
memory_mb = 64
---*/
const a = Array.from({ length: 200000 }, (_, i) => (i * 7919) % 200000);
for (;;) { a.sort((x, y) => { a.length; return (x ^ y) & 1 ? 1 : -1; }); a.toSorted(); new Float64Array(a).sort(); }
