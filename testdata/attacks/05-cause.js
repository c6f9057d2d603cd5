/*---
rows = [5]
attack = "an uncaught error whose causes go on for ever, and into a circle"
outcomes = ["exception"]
error = "Error: last"
[request.limits]
cpu_ms = 3000
---*/
let e = new Error("first"); const first = e;
for (let i = 0; i < 100000; i++) e = new AggregateError([e, e], "e".repeat(10), { cause: e });
const last = new Error("last", { cause: e }); first.cause = last;
throw last;
