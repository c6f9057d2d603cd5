/*---
rows = [4]
attack = "an allocation bomb that catches what it is told, and goes on"
outcomes = ["exceededMemory", "exceededCpu"]
[request.limits]
memory_mb = 32
cpu_ms = 1000
---*/
let kept = [];
for (;;) { try { for (;;) kept.push([...kept.slice(0, 1000), {}]); } catch { } finally { } }
