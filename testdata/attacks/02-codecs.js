/*---
rows = [2]
attack = "encoders and decoders over megabytes, in a loop"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 50
memory_mb = 96
---*/
const text = "ä€𝄞".repeat(100000);
for (;;) { new TextDecoder().decode(new TextEncoder().encode(text)); atob(btoa("x".repeat(1 << 20))); encodeURIComponent(text); escape(text); new URL("http://h/" + text); new URLSearchParams(text); structuredClone(text); }
