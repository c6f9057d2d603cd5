/*---
rows = [19, 20]
attack = "getters, setters and values on Object.prototype and Array.prototype for every name that glue might read"
match = "^\\[\"hello\",\"a=1\",true,\"GET\",\"text\",3,\"x\",\\d+\\]$"
---*/
import fs from "node:fs";
const leaked = [];
const note = (o) => { if (o !== null && typeof o === "object" && !Array.isArray(o)) for (const k of Reflect.ownKeys(o)) if (typeof o[k] === "function" && /mayfly|primordial/i.test(String(k))) leaked[leaked.length] = k; };
for (const k of ["then", "done", "next", "return", "constructor", "toJSON", "valueOf", "length", "0", "1", "2", "headers", "method", "body", "signal", "type", "name", "message", "stack", "cause", "code", "highWaterMark", "size", "start", "pull", "cancel", "write", "close", "abort", "encoding", "flag", "recursive", "with", "default", "id", "kind", "op", "handle", "stream", "reader", "url", "status", "bytes", "offset", "callback", "resolve", "reject", "promise", "once", "passive", "capture", "detail", "bubbles", "fatal", "ignoreBOM", "transfer", "depth", "colors", "showHidden", "endings", "duplex", "redirect", "statusText", "base"]) {
  if (k in {} && !["constructor", "valueOf"].includes(k)) continue;
  if (["constructor", "valueOf", "length"].includes(k)) continue;
  Object.defineProperty(Object.prototype, k, { configurable: true, enumerable: false, __proto__: null, get() { note(this); return undefined; }, set(v) { note(this); note(v); Object.defineProperty(this, k, { __proto__: null, value: v, writable: true, enumerable: true, configurable: true }); } });
}
console.log({ a: 1 }, new Map(), new Error("e"));
Array.prototype.push = Array.prototype.concat = Array.prototype.slice = function () { throw new Error("polluted"); };
Array.prototype[Symbol.iterator] = function () { throw new Error("polluted"); };
fs.mkdirSync("/tmp/p", { __proto__: null, recursive: true });
fs.writeFileSync("/tmp/p/x", "x");
const r = new Request("http://h/"), p = new URLSearchParams("a=1");
const done = await new Promise((resolve) => setTimeout(resolve, 1, "hello"));
const text = await new Response("text").text();
const clone = structuredClone({ __proto__: null, a: { __proto__: null, b: 1 } });
const result = [];
result[0] = done; result[1] = p.toString(); result[2] = clone.a.b === 1; result[3] = r.method; result[4] = text; result[5] = new TextEncoder().encode("abc").length; result[6] = fs.readFileSync("/tmp/p/x", "utf8"); result[7] = leaked.length;
if (leaked.length) throw new Error("leaked " + leaked.join());
export default result;
