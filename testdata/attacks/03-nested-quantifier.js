/*---
rows = [3]
attack = "a regular expression that tries exponentially many ways"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 50
---*/
/^(a+)+$/.test("a".repeat(60) + "b");
