// Timers, queueMicrotask, performance, crypto, navigator.
import { anInterface, check, done, rejects, same, sleep, throws } from "./check.js";

const order = [];
setTimeout((...args) => order.push("b", ...args), 5, 1, 2);
setTimeout(() => order.push("a"), 2);
setTimeout(() => order.push("zero"));
setImmediate((x) => order.push("immediate", x), 9);
queueMicrotask(() => order.push("microtask"));
const never = setTimeout(() => order.push("never"), 3);
clearTimeout(never);
clearTimeout(never);
clearTimeout();
clearTimeout("x");
clearTimeout(12345);
same(typeof never, "number");
check(never > 0);
await sleep(20);
same(order, ["microtask", "immediate", 9, "zero", "a", "b", 1, 2]);

let ticks = 0;
await new Promise((resolve) => {
  const id = setInterval((step) => {
    ticks += step;
    if (ticks === 6) {
      clearInterval(id);
      resolve();
    }
  }, 2, 2);
});
await sleep(20);
same(ticks, 6);
same([setTimeout.length, setInterval.length, clearTimeout.length, setTimeout.name], [1, 1, 0, "setTimeout"]);
throws(() => setTimeout("code"), { name: "TypeError" });
throws(() => setInterval(), { name: "TypeError" });
throws(() => queueMicrotask(5), { name: "TypeError" });
const pair = [];
for (const delay of [NaN, -5, 2 ** 40, "1", null]) setTimeout(() => pair.push(String(delay)), delay);
await sleep(3);
same(pair, ["NaN", "-5", "1099511627776", "1", "null"]);
// A timer's id is no key to other operations.
const waiting = sleep(5);
for (let i = 0; i < 100000; i += 999) clearTimeout(i + 0.5);
await waiting;

anInterface(Performance, "Performance", { abstract: true, parent: EventTarget, attributes: ["timeOrigin"], methods: { now: 0, toJSON: 0 } });
const begin = performance.now();
await sleep(10);
check(performance.now() - begin >= 10);
check(Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 5);
same(Object.keys(performance.toJSON()), ["timeOrigin"]);
same(Object.prototype.toString.call(performance), "[object Performance]");

anInterface(Crypto, "Crypto", { abstract: true, attributes: ["subtle"], methods: { getRandomValues: 1, randomUUID: 0 } });
anInterface(SubtleCrypto, "SubtleCrypto", { abstract: true, methods: { digest: 2 } });
const uuids = new Set(Array.from({ length: 50 }, () => crypto.randomUUID()));
same(uuids.size, 50);
for (const uuid of uuids) check(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(uuid), uuid);
const bytes = new Uint8Array(32);
check(crypto.getRandomValues(bytes) === bytes);
check(bytes.some((b) => b !== 0));
const part = new Uint32Array(8);
crypto.getRandomValues(part.subarray(2, 6));
same([part[0], part[1], part[6], part[7]], [0, 0, 0, 0]);
check(part.subarray(2, 6).some((v) => v !== 0));
same(crypto.getRandomValues(new Uint8Array(0)).length, 0);
crypto.getRandomValues(new Uint8Array(65536));
throws(() => crypto.getRandomValues(new Uint8Array(65537)), { name: "QuotaExceededError" });
throws(() => crypto.getRandomValues(new Float32Array(1)), { name: "TypeMismatchError" });
throws(() => crypto.getRandomValues(new DataView(new ArrayBuffer(1))), { name: "TypeMismatchError" });
throws(() => crypto.getRandomValues([]), { name: "TypeError" });
throws(() => crypto.getRandomValues.call({}, bytes), { name: "TypeError" });

const hex = (buffer) => Array.from(new Uint8Array(buffer), (b) => b.toString(16).padStart(2, "0")).join("");
const abc = new TextEncoder().encode("abc");
same(hex(await crypto.subtle.digest("SHA-1", abc)), "a9993e364706816aba3e25717850c26c9cd0d89d");
same(hex(await crypto.subtle.digest({ name: "sha-256" }, abc.buffer)), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
same(hex(await crypto.subtle.digest("SHA-256", new DataView(abc.buffer, 1, 1))), hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode("b"))));
same((await crypto.subtle.digest("SHA-384", abc)).byteLength, 48);
same((await crypto.subtle.digest("SHA-512", abc)).byteLength, 64);
await rejects(crypto.subtle.digest("SHA-3", abc), { name: "NotSupportedError" });
await rejects(crypto.subtle.digest("SHA-1", "abc"), { name: "TypeError" });
await rejects(crypto.subtle.digest("SHA-1"), { name: "TypeError" });
await rejects(SubtleCrypto.prototype.digest.call({}, "SHA-1", abc), { name: "TypeError" });
const mutable = new Uint8Array([97]);
const pending = crypto.subtle.digest("SHA-1", mutable);
mutable[0] = 98;
same(hex(await pending), hex(await crypto.subtle.digest("SHA-1", new Uint8Array([97]))));

same([navigator.userAgent, navigator.hardwareConcurrency, self === globalThis], ["Cloudflare-Workers", 1, true]);
same(Object.prototype.toString.call(navigator), "[object Navigator]");

// What the engine brings.
same([atob("aGk="), btoa("hi"), atob(" a G k = ")], ["hi", "aGk=", "hi"]);
throws(() => atob("a"), { name: "InvalidCharacterError" });
throws(() => btoa("é€"), { name: "InvalidCharacterError" });
const exception = new DOMException("m", "AbortError");
same([exception.name, exception.message, exception.code, exception instanceof Error, DOMException.ABORT_ERR], ["AbortError", "m", 20, true, 20]);
same([new DOMException().name, new DOMException("", "Unknown").code], ["Error", 0]);
same(Object.prototype.toString.call(exception), "[object DOMException]");
same(typeof exception.stack, "string");

done();
