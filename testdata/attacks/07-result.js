/*---
rows = [7]
attack = "a result of hundreds of megabytes"
outcomes = ["exceededOutput", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 3000
output_bytes = 100000
memory_mb = 200
---*/
export default () => Array.from({ length: 200000 }, () => "x".repeat(100));
