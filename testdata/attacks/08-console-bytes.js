/*---
rows = [8]
attack = "millions of empty and of one-byte lines, so that the cost of each counts"
outcomes = ["exceededOutput", "exceededCpu"]
[request.limits]
cpu_ms = 1000
output_bytes = 1000000
---*/
for (;;) { console.log(""); console.error("e"); process.stdout.write("x"); }
