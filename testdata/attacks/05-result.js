/*---
rows = [5, 8]
attack = "results that can't be JSON or go on for ever: cycles, getters that throw, a proxy that lies about its keys"
outcomes = ["ok", "exception"]
---*/
const cycle = { a: [] };
cycle.a.push(cycle, new Map([[cycle, cycle]]), 1n, Symbol("s"), () => 1, { get x() { throw cycle; } }, new Proxy({}, { ownKeys: () => ["a", "b"], getOwnPropertyDescriptor: () => ({ value: cycle, enumerable: true, configurable: true }), get: () => cycle }), new WeakMap(), Promise.reject(cycle).catch(() => {}), null, undefined, NaN, new Date(NaN), Object.create(null));
cycle;
