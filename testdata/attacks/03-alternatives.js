/*---
rows = [3]
attack = "overlapping alternatives, back references and lookbehind"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 50
memory_mb = 64
---*/
/^(?:(a|aa|a?)*)\1(?<=(a*)*)c$/u.test("a".repeat(80) + "b");
for (;;) {}
