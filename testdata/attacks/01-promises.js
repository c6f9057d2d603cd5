/*---
rows = [1]
attack = "promise reactions without an end, between which nothing else may run"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 50
---*/
const spin = () => Promise.resolve().then(spin);
spin();
for (;;) await null;
