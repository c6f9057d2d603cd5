/*---
rows = [6]
attack = "a million promises that nobody settles, each awaited"
outcomes = ["exceededMemory", "exceededCpu", "exception"]
[request.limits]
cpu_ms = 1000
memory_mb = 64
wall_ms = 5000
---*/
for (let i = 0; i < 1e6; i++) (async () => { await new Promise(() => {}); })();
await new Promise(() => {});
