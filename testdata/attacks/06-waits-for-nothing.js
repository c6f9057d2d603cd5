/*---
rows = [6]
attack = "a program that waits for what never comes, with nothing pending"
outcomes = ["exception", "ok"]
[request.limits]
wall_ms = 5000
---*/
await new Promise(() => {});
