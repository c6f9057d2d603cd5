/*---
rows = [1]
attack = "an endless loop without a call in it"
outcomes = ["exceededCpu"]
error = "LimitError: .*CPU limit"
[request.limits]
cpu_ms = 50
---*/
for (;;) {}
