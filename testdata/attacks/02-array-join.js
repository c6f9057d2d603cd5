/*---
rows = [2]
attack = "one builtin that works on a thousand million elements"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 50
memory_mb = 64
---*/
new Array(1e9) + "";
