// Event, EventTarget, AbortController, AbortSignal.
import { anInterface, check, done, rejects, same, sleep, throws } from "./check.js";

anInterface(Event, "Event", {
  length: 1,
  attributes: ["type", "target", "srcElement", "currentTarget", "eventPhase", "cancelBubble", "bubbles", "cancelable", "returnValue", "defaultPrevented", "composed", "timeStamp"],
  methods: { composedPath: 0, stopPropagation: 0, stopImmediatePropagation: 0, preventDefault: 0, initEvent: 1 },
});
anInterface(EventTarget, "EventTarget", { methods: { addEventListener: 2, removeEventListener: 2, dispatchEvent: 1 } });
anInterface(CustomEvent, "CustomEvent", { length: 1, parent: Event, attributes: ["detail"] });
anInterface(ErrorEvent, "ErrorEvent", { length: 1, parent: Event, attributes: ["message", "filename", "lineno", "colno", "error"] });
anInterface(PromiseRejectionEvent, "PromiseRejectionEvent", { length: 2, parent: Event, attributes: ["promise", "reason"] });
anInterface(AbortController, "AbortController", { attributes: ["signal"], methods: { abort: 0 } });
anInterface(AbortSignal, "AbortSignal", {
  parent: EventTarget, abstract: true, attributes: ["aborted", "reason", "onabort"], methods: { throwIfAborted: 0 }, statics: { abort: 0, timeout: 1, any: 1 },
});
same([Event.NONE, Event.CAPTURING_PHASE, Event.AT_TARGET, Event.BUBBLING_PHASE, new Event("x").AT_TARGET], [0, 1, 2, 3, 2]);

throws(() => new Event(), { name: "TypeError" });
throws(() => new Event("x", 1), { name: "TypeError" });
const plain = new Event("x", { bubbles: 1, cancelable: true });
same([plain.type, plain.bubbles, plain.cancelable, plain.composed, plain.isTrusted, plain.target, plain.eventPhase], ["x", true, true, false, false, null, 0]);
check(plain.timeStamp >= 0);

const target = new EventTarget();
const calls = [];
const first = (event) => calls.push("first", event.target === target, event.currentTarget === target, event.eventPhase, event.composedPath()[0] === target);
target.addEventListener("x", first);
target.addEventListener("x", first);
target.addEventListener("x", { handleEvent(event) { calls.push("object", this.handleEvent !== undefined, event.type); } });
target.addEventListener("x", function () { calls.push("this", this === target); }, { once: true });
target.addEventListener("x", null);
same(target.dispatchEvent(new Event("x")), true);
same(calls, ["first", true, true, 2, true, "object", true, "x", "this", true]);
calls.length = 0;
target.removeEventListener("x", first);
target.dispatchEvent(new Event("x"));
same(calls, ["object", true, "x"]);

// Capture makes another listener; removal must agree.
const other = new EventTarget();
let count = 0;
const counter = () => count++;
other.addEventListener("c", counter, true);
other.addEventListener("c", counter, false);
other.dispatchEvent(new Event("c"));
same(count, 2);
other.removeEventListener("c", counter);
other.removeEventListener("c", counter, { capture: true });
other.dispatchEvent(new Event("c"));
same(count, 2);

// Canceling.
const cancelable = new EventTarget();
cancelable.addEventListener("p", (event) => event.preventDefault(), { passive: true });
same(cancelable.dispatchEvent(new Event("p", { cancelable: true })), true);
cancelable.addEventListener("p", (event) => { event.returnValue = false; });
same(cancelable.dispatchEvent(new Event("p", { cancelable: true })), false);
same(cancelable.dispatchEvent(new Event("p")), true);

// Stopping, adding and removing in mid-dispatch.
const busy = new EventTarget();
const order = [];
const late = () => order.push("late");
const removed = () => order.push("removed");
busy.addEventListener("b", (event) => {
  order.push(1);
  busy.addEventListener("b", late);
  busy.removeEventListener("b", removed);
  throws(() => busy.dispatchEvent(event), { name: "InvalidStateError" });
});
busy.addEventListener("b", removed);
busy.addEventListener("b", (event) => { order.push(2); event.stopImmediatePropagation(); });
busy.addEventListener("b", () => order.push("stopped"));
busy.dispatchEvent(new Event("b"));
same(order, [1, 2]);

// A listener that throws is reported, and the others still run.
const reported = [];
const onError = (event) => { reported.push(event.error.message, event.message, event instanceof ErrorEvent); event.preventDefault(); };
addEventListener("error", onError);
const throwing = new EventTarget();
throwing.addEventListener("t", () => { throw new Error("in listener"); });
throwing.addEventListener("t", () => reported.push("next"));
throwing.dispatchEvent(new Event("t"));
reportError(new TypeError("by hand"));
setTimeout(() => { throw new Error("in timer"); }, 1);
await sleep(5);
removeEventListener("error", onError);
same(reported, ["in listener", "in listener", true, "next", "by hand", "by hand", true, "in timer", "in timer", true]);
throws(() => reportError(), { name: "TypeError" });

// Rejections may be taken over.
const rejections = [];
const onRejection = (event) => { rejections.push(event.reason, event.promise instanceof Promise); event.preventDefault(); };
addEventListener("unhandledrejection", onRejection);
Promise.reject("nobody");
await sleep(1);
removeEventListener("unhandledrejection", onRejection);
same(rejections, ["nobody", true]);

// Signals as options.
const controller = new AbortController();
let heard = 0;
target.addEventListener("s", () => heard++, { signal: controller.signal });
target.dispatchEvent(new Event("s"));
controller.abort();
target.dispatchEvent(new Event("s"));
target.addEventListener("s", () => heard++, { signal: controller.signal });
target.dispatchEvent(new Event("s"));
same(heard, 1);
throws(() => target.addEventListener("s", () => {}, { signal: {} }), { name: "TypeError" });
throws(() => target.addEventListener("s", 5), { name: "TypeError" });
throws(() => target.dispatchEvent({ type: "x" }), { name: "TypeError" });
throws(() => target.addEventListener("s"), { name: "TypeError" });

const custom = new CustomEvent("c", { detail: { a: 1 } });
same([custom.detail, new CustomEvent("c").detail, custom instanceof Event], [{ a: 1 }, null, true]);
class Mine extends EventTarget { constructor() { super(); this.mine = true; } }
let got;
const mine = new Mine();
mine.addEventListener("m", (event) => { got = event.target.mine; });
mine.dispatchEvent(new Event("m"));
same(got, true);

// Abort.
const abort = new AbortController();
const seen = [];
abort.signal.addEventListener("abort", (event) => seen.push("listener", event.isTrusted, event.type));
abort.signal.onabort = () => seen.push("old");
abort.signal.onabort = function () { seen.push("handler", this === abort.signal); };
same([abort.signal.aborted, abort.signal.reason], [false, undefined]);
abort.signal.throwIfAborted();
abort.abort();
abort.abort("again");
same(seen, ["listener", true, "abort", "handler", true]);
same([abort.signal.aborted, abort.signal.reason.name, abort.signal.reason.code], [true, "AbortError", 20]);
throws(() => abort.signal.throwIfAborted(), { name: "AbortError" });
same([AbortSignal.abort("why").reason, AbortSignal.abort().reason instanceof DOMException], ["why", true]);
abort.signal.onabort = 5;
same(abort.signal.onabort, null);

const timeout = AbortSignal.timeout(3);
await new Promise((resolve) => { timeout.onabort = resolve; });
same([timeout.aborted, timeout.reason.name], [true, "TimeoutError"]);
throws(() => AbortSignal.timeout(-1), { name: "TypeError" });
throws(() => AbortSignal.timeout(), { name: "TypeError" });

const a = new AbortController();
const b = new AbortController();
const either = AbortSignal.any([a.signal, b.signal]);
const nested = AbortSignal.any([either]);
const log = [];
a.signal.addEventListener("abort", () => log.push("source", either.aborted, nested.aborted));
nested.addEventListener("abort", () => log.push("nested"));
either.addEventListener("abort", () => log.push("either"));
a.abort("A");
b.abort("B");
same([either.reason, nested.reason], ["A", "A"]);
same(log, ["source", true, true, "either", "nested"]);
same(AbortSignal.any([AbortSignal.abort(1), AbortSignal.abort(2)]).reason, 1);
same(AbortSignal.any([]).aborted, false);
throws(() => AbortSignal.any([{}]), { name: "TypeError" });
throws(() => AbortSignal.any(5), { name: "TypeError" });
await rejects(Promise.reject(AbortSignal.abort().reason), { name: "AbortError", message: "This operation was aborted" });

// isTrusted can't be taken for another: each event has it, from one getter.
const trust = Object.getOwnPropertyDescriptor(new Event("x"), "isTrusted");
same([trust.configurable, trust.enumerable, trust.set, Object.getOwnPropertyDescriptor(new CustomEvent("y"), "isTrusted").get === trust.get], [false, true, undefined, true]);

// The global object is a target, by its own functions, its prototypes' and its
// handlers; its events have it as their target.
check(globalThis instanceof ServiceWorkerGlobalScope && globalThis instanceof EventTarget && self === globalThis);
throws(() => new ServiceWorkerGlobalScope(), { name: "TypeError" });
const globalEvents = [];
const hear = function (event) { globalEvents.push(this === globalThis, event.target === globalThis, event.currentTarget === globalThis); };
addEventListener("own", hear);
EventTarget.prototype.addEventListener.call(globalThis, "own", hear); // the same listener: once
globalThis.dispatchEvent(new Event("own"));
removeEventListener("own", hear);
dispatchEvent(new Event("own"));
same(globalEvents, [true, true, true]);
onerror = (...args) => { globalEvents.push(args.length, args[0], args[4].message); return true; };
reportError(new Error("seen"));
same(globalEvents.slice(3), [5, "seen", "seen"]);
onerror = null;
same([onerror, onunhandledrejection], [null, null]);

done();
