/*---
rows = [1, 8]
attack = "loops in what console.log calls: a custom inspect function, a proxy's traps"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 50
---*/
console.log({ [Symbol.for("nodejs.util.inspect.custom")]() { for (;;) {} } });
console.log(new Proxy({}, { ownKeys() { for (;;) {} }, get() { for (;;) {} } }));
class Loop { get [Symbol.toStringTag]() { for (;;) {} } }
console.log(new Loop());
for (;;) {}
