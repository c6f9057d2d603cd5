/*---
rows = [4]
attack = "encodings that take more room than what they are made of"
outcomes = ["exceededMemory"]
[request.limits]
memory_mb = 32
cpu_ms = 3000
---*/
const kept = [], text = "€".repeat(1 << 18);
for (;;) kept.push(new TextEncoder().encode(text), btoa("x".repeat(1 << 18)), encodeURIComponent(text.slice(0, 1000)));
