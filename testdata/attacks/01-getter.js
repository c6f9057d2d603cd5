/*---
rows = [1]
attack = "a loop in a getter that is called while the result is rendered"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 50
---*/
({ get value() { for (;;) {} }, toJSON: undefined })
