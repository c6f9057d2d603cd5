/*---
rows = [20, 22]
attack = "methods on the wrong objects, hostile options, re-entrance, prototypes taken for bindings"
value = '"ok"'
[request.bindings.KV]
type = "kv_namespace"
namespace = "forged"
[request.bindings.RO]
type = "kv_namespace"
namespace = "forged"
prefix = "in/"
read_only = true
---*/
const { KV, RO } = env;
const proto = Object.getPrototypeOf(KV);
const fails = async (f) => {
  try { await f(); } catch (e) { return e instanceof Error || e === "own"; }
  throw new Error(`allowed: ${f}`);
};
await KV.put("secret", "s");
await KV.put("in/a", "a");
for (const self of [{}, Object.create(KV), Object.create(proto), new Proxy(KV, {}), { __proto__: KV }, null, undefined, proto]) {
  for (const method of ["get", "put", "delete", "list", "getWithMetadata"]) await fails(() => proto[method].call(self, "secret", "x"));
}
await fails(() => new proto.constructor({ name: "KV", kind: "kv_namespace", handle: 1, epoch: 0 }));
await fails(() => Reflect.construct(proto.constructor, [{}], class X {}));
await fails(() => class extends proto.constructor {}.prototype.get.call({}, "x"));
class Sub extends proto.constructor {}
await fails(() => new Sub({}));
// The rights are the object's own, whatever is done to it.
Object.setPrototypeOf(RO, { __proto__: proto, extra: 1 });
await fails(() => RO.put("a", "x"));
await fails(() => proto.put.call(RO, "a", "x"));
if ((await proto.get.call(RO, "../secret")) !== null || (await RO.get("a")) !== "a") throw new Error("left its prefix");
// Options that call back, throw, and change their minds.
let calls = 0;
const moody = { get expirationTtl() { calls++; KV.put("again", "x"); return { valueOf() { throw "own"; } }; } };
await fails(() => KV.put("k", "v", moody));
await fails(() => KV.put({ toString() { throw "own"; } }, "v"));
await fails(() => KV.put(Symbol("k"), "v"));
await fails(() => KV.put("k", { toString: () => "text" }));
await fails(() => KV.get(new Proxy([], { get: (t, n) => (n === "length" ? 1e9 : "k") })));
await fails(() => KV.get(Array(1e6).fill("k")));
await fails(() => KV.list({ limit: 1n }));
await fails(() => KV.put("k", "v", { metadata: 1n }));
const circle = {}; circle.circle = circle;
await fails(() => KV.put("k", "v", { metadata: circle }));
await fails(() => KV.put("k", new ReadableStream({ pull(c) { c.enqueue({}); } })));
const detached = new ArrayBuffer(8); structuredClone(detached, { transfer: [detached] });
await KV.put("detached", detached).catch(() => {});
// env can be changed, for the program alone.
env.KV = "mine";
if (env.KV !== "mine" || (await KV.get("in/a")) !== "a") throw new Error("env");
"ok"
