/*---
rows = [4]
attack = "blobs of blobs of blobs"
outcomes = ["exceededMemory", "exceededCpu", "exception"]
[request.limits]
memory_mb = 32
cpu_ms = 2000
---*/
let b = new Blob(["x".repeat(1000)]);
for (let i = 0; i < 40; i++) b = new Blob([b, b]);
await b.arrayBuffer();
