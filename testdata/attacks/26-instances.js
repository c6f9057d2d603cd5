/*---
rows = [26, 5]
attack = "an execution that breaks all it can of its instance before it ends: the next one must not notice"
outcomes = ["ok", "exception", "exceededMemory", "exceededCpu"]
[request.limits]
cpu_ms = 2000
memory_mb = 64
---*/
const f = () => f() + 1;
try { f(); } catch {}
for (const C of [Object, Array, Function, String, Promise, Map, Uint8Array, JSON, Math, Reflect]) { for (const k of Reflect.ownKeys(C.prototype ?? C)) { try { (C.prototype ?? C)[k] = 1; } catch {} } }
const kept = []; try { for (;;) kept.length = kept.length * 2 + 1, kept.fill({}); } catch {}
Object.freeze(globalThis); Object.setPrototypeOf(globalThis, null);
f();
