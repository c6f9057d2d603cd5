/*---
rows = [5, 8]
attack = "an uncaught value whose name, message and stack are megabytes, not strings, or lie"
outcomes = ["exception", "exceededOutput", "exceededMemory"]
[request.limits]
cpu_ms = 3000
output_bytes = 100000
---*/
const e = new Error("m".repeat(3e6));
Object.defineProperties(e, { name: { value: "n".repeat(3e6) }, stack: { value: "s".repeat(3e6) }, cause: { value: { toString() { throw e; } } } });
throw e;
