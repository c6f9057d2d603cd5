/*---
rows = [2]
attack = "string builtins whose work is the product of two lengths"
outcomes = ["exceededCpu", "exceededMemory"]
[request.limits]
cpu_ms = 50
memory_mb = 64
---*/
const text = "a".repeat(500000), part = "a".repeat(250000) + "b";
for (;;) { text.indexOf(part); text.lastIndexOf(part); text.includes(part); text.replaceAll("a", "$&$`"); text.split(""); text.localeCompare(part); text.normalize("NFD"); }
