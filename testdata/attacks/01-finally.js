/*---
rows = [1, 5]
attack = "code that runs on while its exceptions unwind: catch and finally in a loop"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 50
---*/
function f() { try { for (;;) {} } catch { return f(); } finally { return f(); } }
for (;;) { try { f(); } catch {} finally { continue; } }
