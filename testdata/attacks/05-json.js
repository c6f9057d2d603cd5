/*---
rows = [5]
attack = "JSON nested a million deep, both ways, and as the result"
outcomes = ["exception", "ok", "exceededCpu", "exceededMemory"]
[request.limits]
cpu_ms = 1000
memory_mb = 200
---*/
let caught = 0;
for (const s of ["[".repeat(1e6), "[".repeat(1e6) + "]".repeat(1e6), '{"a":'.repeat(1e6) + "1" + "}".repeat(1e6)]) { try { JSON.parse(s); } catch { caught++; } }
let a = []; for (let i = 0; i < 1e5; i++) a = [a];
try { JSON.stringify(a); } catch { caught++; }
console.log("caught", caught);
export default a;
