/*---
rows = [8]
attack = "one line of tens of megabytes"
outcomes = ["exceededOutput", "exceededMemory"]
[request.limits]
cpu_ms = 2000
memory_mb = 200
output_bytes = 50000
---*/
console.log("y".repeat(4e7));
