// structuredClone, after https://html.spec.whatwg.org/#structured-cloning
import { check, done, same, throws } from "./check.js";

const refused = { name: "DataCloneError", code: 25 };
const d = Object.getOwnPropertyDescriptor(globalThis, "structuredClone");
same([typeof d.value, d.writable, d.enumerable, d.configurable, structuredClone.length], ["function", true, true, true, 1]);
throws(() => structuredClone(), { name: "TypeError" });

// Primitives and their wrappers.
for (const v of [undefined, null, true, false, 0, -0, NaN, Infinity, 1.5, "", "a\ud800", 12n, -(2n ** 80n)]) check(Object.is(structuredClone(v), v), String(v));
for (const v of [Object(1), Object("ab"), Object(false), Object(3n)]) {
  const c = structuredClone(v);
  check(c !== v && Object.getPrototypeOf(c) === Object.getPrototypeOf(v) && c.valueOf() === v.valueOf(), typeof v.valueOf());
}
same(Object.getOwnPropertyNames(structuredClone(Object("ab"))), ["0", "1", "length"]);

// What can't be cloned.
for (const v of [() => 1, function f() { }, class A { }, Symbol(), Object(Symbol()), new WeakMap(), new WeakSet(), new WeakRef({}), Promise.resolve(), new Proxy({}, {}), new Proxy([], {}), (function* () { })(), [][Symbol.iterator](), new Map().keys(), new Headers(), new URL("a:b"), new URLSearchParams(), new Request("a:b"), new Response(), new TextEncoder(), new TextDecoder(), globalThis.structuredClone, new FinalizationRegistry(() => { })]) {
  throws(() => structuredClone(v), refused, `clone of ${Object.prototype.toString.call(v)}`);
  throws(() => structuredClone({ a: [v] }), refused);
  throws(() => structuredClone(new Map([[v, 1]])), refused);
}

// Objects.
const source = { a: 1, b: { c: [1, , 3] }, [Symbol("s")]: 1, 5: "five" };
Object.defineProperty(source, "hidden", { value: 1 });
Object.defineProperty(source, "read", { get() { return this.a + 1; }, enumerable: true });
source.self = source;
const copy = structuredClone(source);
same(Object.keys(copy), ["5", "a", "b", "read", "self"]);
same(Object.getOwnPropertyDescriptor(copy, "read"), { value: 2, writable: true, enumerable: true, configurable: true });
check(copy.self === copy && copy.b !== source.b);
same([copy.b.c.length, 1 in copy.b.c, copy.b.c[2]], [3, false, 3]);
same(Object.getOwnPropertySymbols(copy).length, 0);
class Point { constructor() { this.x = 1; } get y() { return 2; } }
same([structuredClone(new Point()).constructor === Object, Object.keys(structuredClone(new Point()))], [true, ["x"]]);
check(Object.getPrototypeOf(structuredClone(Object.create(null))) === Object.prototype);
same(structuredClone({ __proto__: null, ["__proto__"]: 1 })["__proto__"], 1);
same(Object.isFrozen(structuredClone(Object.freeze({ a: 1 }))), false);
(function () { same(structuredClone(arguments), { 0: 1, 1: 2 }); })(1, 2);

// Arrays.
const list = [1, "x"];
list.extra = { deep: true };
const listCopy = structuredClone(list);
same([Array.isArray(listCopy), listCopy.length, listCopy.extra.deep], [true, 2, true]);
same(structuredClone(Object.assign([], { length: 5 })).length, 5);
const sparse = [];
sparse[1000000] = 1;
same([structuredClone(sparse).length, Object.keys(structuredClone(sparse)).length], [1000001, 1]);
const shrinking = [1, { get x() { shrinking.length = 0; return 1; } }, 3, 4];
same(Object.keys(structuredClone(shrinking)), ["0", "1"]);
const growing = [{ get x() { growing.push(5); return 1; } }, 2];
same(structuredClone(growing).length, 2);
const replaced = [{ get x() { replaced[1] = "new"; return 1; } }, { old: 1 }];
same(structuredClone(replaced)[1], "new");

// Identity and cycles.
const shared = {};
const pair = structuredClone([shared, shared, [shared]]);
check(pair[0] === pair[1] && pair[2][0] === pair[0] && pair[0] !== shared);
const fresh = structuredClone({ get a() { return {}; }, get b() { return {}; }, get c() { return []; } });
check(fresh.a !== fresh.b && Array.isArray(fresh.c), "objects that a getter makes are different ones");
const many = Array.from({ length: 500 }, (_, i) => ({ i }));
const manyCopy = structuredClone([many, many.slice().reverse()]);
check(manyCopy[0].every((o, i) => o.i === i && manyCopy[1][499 - i] === o));
const cyclic = new Map();
cyclic.set(cyclic, new Set([cyclic]));
const cyclicCopy = structuredClone(cyclic);
check(cyclicCopy.has(cyclicCopy) && cyclicCopy.get(cyclicCopy).has(cyclicCopy) && cyclicCopy !== cyclic);
let deep = {};
for (let i = 0, at = deep; i < 1e5; i++) at = at.n = {};
throws(() => structuredClone(deep), { name: "RangeError" });

// Maps and sets.
const map = new Map([["a", { x: 1 }], [NaN, -0]]);
map.own = 1;
const mapCopy = structuredClone(map);
same([mapCopy instanceof Map, mapCopy.size, mapCopy.get("a").x, mapCopy.has(NaN), mapCopy.own], [true, 2, 1, true, undefined]);
same([...structuredClone(new Set([3, 1, 2]))], [3, 1, 2]);
const mutating = new Map([[1, { get x() { mutating.delete(2); mutating.set(3, 3); return 1; } }], [2, 2]]);
same([...structuredClone(mutating).keys()], [1, 2]);

// Dates and expressions.
same(structuredClone(new Date(86400000)).getTime(), 86400000);
check(Number.isNaN(structuredClone(new Date(NaN)).getTime()));
const re = /a(b)+/giu;
re.lastIndex = 5;
const reCopy = structuredClone(re);
same([reCopy.source, reCopy.flags, reCopy.lastIndex, reCopy.test("ABB")], ["a(b)+", "giu", 0, true]);

// Errors.
for (const C of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]) {
  const e = structuredClone(new C("m", { cause: { why: 1 } }));
  same([e.constructor === C, e.name, e.message, e.cause.why, Object.keys(e)], [true, C.name, "m", 1, []]);
}
same(structuredClone(new AggregateError([1], "m")).name, "Error");
class Own extends TypeError { constructor() { super("m"); this.extra = 1; } }
same([structuredClone(new Own()).constructor === TypeError, structuredClone(new Own()).extra], [true, undefined]);
const named = new Error("m");
named.name = "RangeError";
check(structuredClone(named) instanceof RangeError);
check(!Object.hasOwn(structuredClone(new Error()), "message"));
same(typeof structuredClone(new Error("x")).stack, "string");
const dom = structuredClone(new DOMException("m", "AbortError"));
same([dom instanceof DOMException, dom.name, dom.message, dom.code], [true, "AbortError", "m", 20]);

// Buffers and views.
const buffer = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer;
const views = structuredClone({ buffer, a: new Uint16Array(buffer, 2, 2), b: new DataView(buffer, 1, 3), c: new Float64Array(buffer) });
check(views.a.buffer === views.buffer && views.b.buffer === views.buffer && views.c.buffer === views.buffer && views.buffer !== buffer);
same([views.a.constructor === Uint16Array, views.a.byteOffset, views.a.length, views.a[0], views.b.byteOffset, views.b.byteLength, views.b.getUint8(0)], [true, 2, 2, 0x0403, 1, 3, 2]);
new Uint8Array(views.buffer)[2] = 9;
same([views.a[0], new Uint8Array(buffer)[2]], [0x0409, 3]);
for (const T of [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array]) {
  const c = structuredClone(new T(2));
  same([c.constructor === T, c.length], [true, 2], T.name);
}
const resizable = new ArrayBuffer(4, { maxByteLength: 8 });
const tracked = structuredClone(new Uint8Array(resizable));
same([tracked.buffer.maxByteLength, tracked.length], [8, 4]);
tracked.buffer.resize(8);
same(tracked.length, 8);
const fixed = new Uint8Array(resizable, 2, 2);
resizable.resize(1);
throws(() => structuredClone(fixed), refused);

// Transfer.
const moved = new Uint8Array([1, 2, 3]).buffer;
const view = new Uint8Array(moved, 1);
const out = structuredClone({ moved, view }, { transfer: [moved] });
same([moved.byteLength, moved.detached, view.length, out.moved.byteLength, [...out.view], out.view.buffer === out.moved], [0, true, 0, 3, [2, 3], true]);
throws(() => structuredClone(moved), refused);
throws(() => structuredClone(view), refused);
throws(() => structuredClone(1, { transfer: [moved] }), refused);
const stays = new ArrayBuffer(4);
throws(() => structuredClone(1, { transfer: [stays, stays] }), refused);
throws(() => structuredClone(() => 1, { transfer: [stays] }), refused);
throws(() => structuredClone({ get x() { throw new RangeError(); } }, { transfer: [stays] }), { name: "RangeError" });
throws(() => structuredClone(1, { transfer: [{}] }), refused);
throws(() => structuredClone(1, { transfer: [1] }), { name: "TypeError" });
throws(() => structuredClone(1, { transfer: 1 }), { name: "TypeError" });
throws(() => structuredClone(1, 1), { name: "TypeError" });
same([stays.byteLength, structuredClone(1, null), structuredClone(1, {}), structuredClone(1, { transfer: undefined })], [4, 1, 1, 1]);
same([structuredClone(7, { transfer: new Set([stays]) }), stays.detached], [7, true]);
const grab = new ArrayBuffer(8);
throws(() => structuredClone({ get x() { return structuredClone(grab, { transfer: [grab] }); } }, { transfer: [grab] }), refused);
const resized = new ArrayBuffer(4, { maxByteLength: 8 });
throws(() => structuredClone({ v: new Uint8Array(resized), get x() { resized.resize(8); return 1; } }, { transfer: [resized] }), refused);
same(resized.byteLength, 8);
const big = new ArrayBuffer(4, { maxByteLength: 8 });
const bigCopy = structuredClone([new Uint8Array(big), big], { transfer: [big] });
bigCopy[1].resize(8);
same([bigCopy[0].length, big.detached], [8, true]);
done();
