/*---
rows = [2]
attack = "array methods on an array-like with the largest length"
outcomes = ["exceededCpu", "exceededMemory"]
[request.limits]
cpu_ms = 50
memory_mb = 64
---*/
const huge = { length: 2 ** 53 - 1 };
for (const name of ["includes", "indexOf", "reverse", "fill", "join", "reduce", "copyWithin", "sort"]) {
  try { Array.prototype[name].call(huge, 1, 2, 3); } catch {}
}
