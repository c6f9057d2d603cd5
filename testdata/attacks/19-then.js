/*---
rows = [19]
attack = "Promise.prototype.then, Promise's own functions and thenables on prototypes, replaced before glue awaits"
match = "^\\{\"a\":1,\"secrets\":0\\}$"
---*/
const caught = [];
const then = Promise.prototype.then;
const spy = function (f, g) { if (typeof f === "function") caught.push(f); return then.call(this, f, g); };
Promise.prototype.then = spy;
Promise.prototype.catch = Promise.prototype.finally = function () { throw new Error("polluted"); };
Promise.resolve = Promise.reject = Promise.all = Promise.race = Promise.withResolvers = function () { throw new Error("polluted"); };
const read = async () => { const r = new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array([97])); c.close(); } })); return r.text(); };
const t = await read();
await new Blob(["b"]).text();
await crypto.subtle.digest("SHA-256", new Uint8Array(1));
globalThis.Promise = class { constructor() { throw new Error("polluted"); } };
if (t !== "a") throw new Error(t);
({ a: 1, secrets: caught.filter((f) => /native|mayfly/.test(f.name)).length });
