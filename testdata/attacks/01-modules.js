/*---
rows = [1]
attack = "an endless loop at the top of an imported module, reached by a dynamic import in a cycle"
outcomes = ["exceededCpu"]
[request]
files = [
  { path = "a.js", content = "import './b.js'; export default 1" },
  { path = "b.js", content = "import './a.js'; for (;;) {}" },
]
limits = { cpu_ms = 50 }
---*/
await import("./a.js");
