/*---
rows = [1]
attack = "microtasks that queue the next one, so that a turn never ends"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 50
---*/
function again() { queueMicrotask(again); }
again();
