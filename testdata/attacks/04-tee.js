/*---
rows = [4, 7]
attack = "a stream that is teed again and again while one branch is read: all chunks are kept for the others"
outcomes = ["exceededMemory", "exceededCpu"]
[request.limits]
memory_mb = 32
cpu_ms = 3000
---*/
let s = new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(65536).fill(1)); } });
for (let i = 0; i < 20; i++) [s] = s.tee();
for await (const chunk of s) chunk;
