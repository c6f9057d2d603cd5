/*---
rows = [8]
attack = "console.dir with no limit of depth on a tree that is wide and deep, and on itself"
outcomes = ["exceededOutput", "exceededCpu", "exceededMemory"]
[request.limits]
cpu_ms = 1000
memory_mb = 64
output_bytes = 100000
---*/
const tree = (d) => d === 0 ? { leaf: "l" } : { a: tree(d - 1), b: tree(d - 1), c: [tree(d - 1)] };
const t = tree(9);
t.self = t;
for (;;) { console.dir(t, { depth: Infinity, showHidden: true, breakLength: 1 }); console.table([t, t]); console.group("g"); console.trace("t"); console.assert(false, t); console.count(); console.time("x"); }
