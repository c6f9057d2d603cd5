/*---
rows = [3]
attack = "bombs in split, replace, match and matchAll, with a lastIndex that never moves"
outcomes = ["exceededCpu", "exceededMemory"]
[request.limits]
cpu_ms = 50
memory_mb = 64
---*/
const r = /(x*)*y?/g;
r[Symbol.replace] = (s) => { r.lastIndex = 0; return s; };
"x".repeat(30).replace(/(x+x+)+y/g, "z");
for (const m of "x".repeat(40).matchAll(/(x+)*y/g)) m;
"x".repeat(100).replace(r, "$1$1");
for (;;) "x".repeat(40).split(/(x+)*y/);
