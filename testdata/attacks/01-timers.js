/*---
rows = [1]
attack = "timers of no delay that set the next: each turn is short, all together are not"
outcomes = ["exceededCpu", "exceededWallTime"]
[request.limits]
cpu_ms = 50
wall_ms = 2000
---*/
const again = () => setTimeout(again, 0);
for (let i = 0; i < 100; i++) again();
