/*---
rows = [4]
attack = "closures, classes and generators at rest, each of which holds its frame"
outcomes = ["exceededMemory", "exception"]
[request.limits]
memory_mb = 32
cpu_ms = 3000
---*/
const kept = [];
function* g(x) { let y = [x, kept]; yield y; yield y; }
for (let i = 0; ; i++) { const it = g(i); it.next(); kept.push(it, () => i, class { #p = i; m() { return this.#p; } }, async () => i); }
