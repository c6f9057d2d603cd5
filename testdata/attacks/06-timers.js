/*---
rows = [6]
attack = "a million timers"
outcomes = ["exception", "exceededMemory", "exceededCpu"]
[request.limits]
cpu_ms = 1000
operations = 1000
---*/
for (let i = 0; i < 1e6; i++) setTimeout(() => {}, 100000);
await new Promise((r) => setTimeout(r, 1));
