/*---
rows = [4]
attack = "a string that doubles"
outcomes = ["exceededMemory", "exception"]
[request.limits]
memory_mb = 64
cpu_ms = 1000
---*/
let s = "x";
for (;;) s += s + "y";
