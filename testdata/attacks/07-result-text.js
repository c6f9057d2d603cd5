/*---
rows = [7, 8]
attack = "a result that is no JSON and large when rendered"
outcomes = ["exceededOutput", "ok", "exceededMemory"]
[request.limits]
cpu_ms = 3000
output_bytes = 10000
---*/
const m = new Map(); for (let i = 0; i < 50000; i++) m.set({ i }, "v".repeat(50));
m;
