/*---
rows = [3]
attack = "patterns that are large once compiled, and deep ones"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
memory_mb = 64
---*/
for (let n = 1; ; n *= 2) {
  for (const source of ["(".repeat(n) + ")".repeat(n), "a{1000}".repeat(n), "(?:" + "x|".repeat(n) + ")*", "[" + "\\u{1F600}-\\u{1F64F}".repeat(n) + "]", "(?<n>a)".repeat(n)]) {
    try { new RegExp(source, "u").test("a".repeat(1000)); } catch {}
  }
  if (n > 1e6) n = 1;
}
