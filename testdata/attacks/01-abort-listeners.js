/*---
rows = [1]
attack = "an event that dispatches itself, and listeners that add listeners"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 50
memory_mb = 64
---*/
const t = new EventTarget();
t.addEventListener("x", () => { t.addEventListener("x", () => t.dispatchEvent(new Event("x"))); t.dispatchEvent(new Event("x")); });
t.dispatchEvent(new Event("x"));
for (;;) t.dispatchEvent(new Event("x"));
