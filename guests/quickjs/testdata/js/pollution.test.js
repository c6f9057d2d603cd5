// A program that replaces the builtins breaks itself, not the platform: its
// glue goes on working, and nothing of the inside gets into the program's hands.
import fs from "node:fs";
import { check, done, same } from "./check.js";

const { log } = console;
const kept = [];
const { defineProperty } = Object;
const Thrown = Error;

const saved = [];
function pollute(object, key) {
  const name = String(key);
  const old = Object.getOwnPropertyDescriptor(object, key);
  saved[saved.length] = () => (old === undefined ? delete object[key] : defineProperty(object, key, old));
  defineProperty(object, key, {
    __proto__: null, configurable: true, writable: true, enumerable: false,
    value: function polluted(...args) {
      kept[kept.length] = [key, this, args];
      throw new Thrown("polluted " + name);
    },
  });
}

function polluteAll(object, keys) {
  for (let i = 0; i < keys.length; i++) pollute(object, keys[i]);
}

const target = new EventTarget();
const controller = new AbortController();
const events = [];
const results = [];
const onReport = (event) => { results[results.length] = event.error.message; event.preventDefault(); };
addEventListener("error", onReport);
target.addEventListener("x", (event) => { events[events.length] = event.type; });
target.addEventListener("x", () => { throw new RangeError("in listener"); });
controller.signal.addEventListener("abort", () => { events[events.length] = "abort"; });
const bytes = new Uint8Array([1, 2, 3]);
const blob = new Blob(["blob"]);

polluteAll(Array.prototype, ["push", "slice", "splice", "shift", "map", "forEach", "join", "indexOf", "concat", Symbol.iterator]);
polluteAll(Map.prototype, ["get", "set", "has", "delete", "forEach", Symbol.iterator]);
polluteAll(Set.prototype, ["has", "delete", "forEach", Symbol.iterator]);
pollute(Set.prototype, "add");
polluteAll(String.prototype, ["charCodeAt", "slice", "indexOf", "includes", "startsWith", "endsWith", "replace", "replaceAll", "split", "toLowerCase", "toUpperCase", "trim", "toWellFormed", Symbol.iterator]);
const TypedArray = Object.getPrototypeOf(Uint8Array);
polluteAll(TypedArray.prototype, ["set", "subarray", "slice", "fill", Symbol.iterator]);
polluteAll(Function.prototype, ["call", "apply", "bind"]);
polluteAll(Promise.prototype, ["then", "catch", "finally"]);
polluteAll(DataView.prototype, ["getFloat64", "setFloat64"]);
const setters = ["value", "get", "set", "capture", "once", "passive", "signal", "done", "aborted", "operation", "delay", "removed", "handler", "recursive", "encoding", "flag", "type", "bytes", "body", "fail", "release"];
for (let i = 0; i < setters.length; i++) {
  defineProperty(Object.prototype, setters[i], {
    __proto__: null, configurable: true,
    get() { kept[kept.length] = ["get", setters[i], this]; return undefined; },
    set(value) { kept[kept.length] = ["set", setters[i], this, value]; },
  });
}
const globals = ["Map", "Set", "Uint8Array", "DataView", "Promise", "TypeError", "Error", "Event", "DOMException", "Reflect", "Object", "Array", "Math", "AbortSignal"];
const originals = [];
for (let i = 0; i < globals.length; i++) {
  originals[i] = globalThis[globals[i]];
  globalThis[globals[i]] = function () { kept[kept.length] = ["new", globals[i]]; throw 0; };
}

const step = (name, f) => {
  try {
    const value = f();
    results[results.length] = value;
  } catch (thrown) {
    results[results.length] = name + " threw " + thrown.message;
  }
};
step("trap", () => [].push(1));
if (kept.length === 1) kept.length = 0; // the traps do spring
const event = new (originals[7])("x");
step("dispatch", () => target.dispatchEvent(event));
step("abort", () => controller.abort("reason"));
step("timer", () => typeof setTimeout(() => { events[events.length] = "timer"; }, 1));
step("interval", () => { const id = setInterval(() => { events[events.length] = "interval"; clearInterval(id); }, 1); return typeof id; });
step("random", () => crypto.getRandomValues(bytes) === bytes);
step("uuid", () => crypto.randomUUID().length);
step("write", () => fs.writeFileSync("polluted.txt", "text"));
step("read", () => fs.readFileSync("polluted.txt", "utf8"));
step("stat", () => fs.statSync("polluted.txt").size);
step("exists", () => fs.existsSync("polluted.txt"));
step("console", () => { log("plain", 1, true); log(5); return "logged"; });
step("blob", () => blob.size);
const digested = crypto.subtle.digest("SHA-1", bytes);
const fetched = fetch("http://host/echo");
const text = blob.text();

// Clean up before checking.
for (let i = 0; i < globals.length; i++) globalThis[globals[i]] = originals[i];
for (let i = 0; i < setters.length; i++) delete Object.prototype[setters[i]];
for (let i = saved.length - 1; i >= 0; i--) saved[i]();
removeEventListener("error", onReport);
await new Promise((resolve) => setTimeout(resolve, 10));
same(results, ["trap threw polluted push", "in listener", true, undefined, "number", "number", true, 36, undefined, "text", 4, true, "logged", 4]);
same(events, ["x", "abort", "timer", "interval"]);
same([(await digested).byteLength, (await fetched).status, await text], [20, 200, "blob"]);

// What the traps saw of the platform: no call, no property.
for (const entry of kept) console.error(`trap: ${entry[0]} ${String(entry[1])}`);
check(Object.keys(globalThis).every((key) => !key.startsWith("mayfly")));
const internal = await import("mayfly:native").then(() => "reached", () => "refused");
same(internal, "refused");
done();
