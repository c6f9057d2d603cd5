/*---
rows = [19]
attack = "prototypes, globals and options replaced before bindings are used"
value = '["v",1,"k",true,"home",["text","v"],"KV PUT failed: 413 Metadata length of 1502 exceeds limit of 1024."]'
[request.bindings.KV]
type = "kv_namespace"
namespace = "polluted"
[request.bindings.SITE]
type = "assets"
files = "site"
[[request.files]]
path = "site/index.html"
content = "home"
---*/
const { defineProperty, getOwnPropertyNames, getOwnPropertyDescriptor } = Object;
const bad = () => { throw new Error("polluted"); };
// What the program itself says below still has to work.
const kept = new Set(["constructor", "text", "then", "catch"]);
const keeps = Set.prototype.has.bind(kept);
for (const proto of [Map.prototype, Uint8Array.prototype, Object.getPrototypeOf(Uint8Array.prototype), ArrayBuffer.prototype, DataView.prototype, Response.prototype,
  Headers.prototype, Request.prototype, URL.prototype, ReadableStream.prototype, Date.prototype, Array.prototype, Promise.prototype, Set.prototype, WeakMap.prototype]) {
  for (const name of getOwnPropertyNames(proto)) {
    if (!keeps(name) && typeof getOwnPropertyDescriptor(proto, name).value === "function") proto[name] = bad;
  }
}
for (const name of ["kind", "handle", "epoch", "type", "cacheTtl", "prefix", "object", "bytes", "done", "writable", "enumerable"]) {
  defineProperty(Object.prototype, name, { __proto__: null, configurable: true, get: bad, set: bad });
}
for (const name of ["type", "cacheTtl", "prefix"]) delete Object.prototype[name]; // options of ours inherit
JSON.parse = JSON.stringify = bad;
globalThis.Response = globalThis.Request = globalThis.URL = globalThis.Map = globalThis.Uint8Array = globalThis.Promise = bad;
await env.KV.put("k", "v", { metadata: { n: 1 }, expirationTtl: 60 });
const value = await env.KV.get("k");
const { metadata } = await env.KV.getWithMetadata("k");
const listed = await env.KV.list();
const many = await env.KV.get(["k"]);
const site = await env.SITE.fetch("/");
const home = await site.text();
const type = await env.KV.getWithMetadata("k", "text");
const error = await env.KV.put("k", "v", { metadata: "x".repeat(1500) }).catch((e) => e.message);
[value, metadata.n, listed.keys[0].name, many.size === 1, home, ["text", type.value], error]
