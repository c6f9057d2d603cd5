/*---
rows = [4]
attack = "array buffers larger than the limit, and many that fit"
outcomes = ["exceededMemory"]
[request.limits]
memory_mb = 64
cpu_ms = 2000
---*/
for (const n of [2 ** 28, 2 ** 31, 2 ** 32, 2 ** 53 - 1]) {
  try { new ArrayBuffer(n); throw new Error("given " + n); } catch (e) { if (!(e instanceof RangeError) && e !== null && e.name !== "InternalError") throw e; }
}
const kept = [];
for (;;) kept.push(new Uint8Array(1 << 20).fill(1));
