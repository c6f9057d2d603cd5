/*---
rows = [4, 7]
attack = "a stream that is filled and never read"
outcomes = ["exceededMemory", "exceededCpu"]
[request.limits]
memory_mb = 32
cpu_ms = 3000
---*/
new ReadableStream({ start(c) { for (;;) c.enqueue(new Uint8Array(65536).fill(1)); } });
