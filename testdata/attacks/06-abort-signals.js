/*---
rows = [6]
attack = "time-out signals and their combinations, in numbers"
outcomes = ["exception", "exceededMemory", "exceededCpu", "ok"]
[request.limits]
cpu_ms = 2000
operations = 100
---*/
const all = [];
for (let i = 0; i < 20000; i++) all.push(AbortSignal.timeout(10 + (i % 50)));
AbortSignal.any(all).throwIfAborted();
