/*---
rows = [8]
attack = "console.log without an end: the output is cut, with a mark"
outcomes = ["exceededOutput"]
stdout = "^x{10}.*\\[output truncated\\]\\n$"
[request.limits]
cpu_ms = 1000
output_bytes = 50000
---*/
for (;;) console.log("x".repeat(1000));
