// What console shows of values: run by node for the golden, and by the guest.
// Nothing here depends on file names, times or versions of V8.
const show = (...values) => console.log(...values);

// Plain values.
show();
show("");
show("text", 'it\'s "so"', `multi
line`);
show(0, -0, 1.5, 1e21, NaN, Infinity, 10n, true, false, null, undefined);
show(Symbol("s"), Symbol(), Symbol.iterator);
show(["it's", 'say "hi"', "`both` 'and' \"all\"", "tab\tnew\nline\\", "\u0000\u007f", "é😀", "\ud800"]);

// Format strings.
show("%s is %d years and %i, %f", "Bob", 42.5, 42.9, "3.25", "rest", { a: 1 });
show("%j %o %O %c%%", { a: [1] }, [1, { b: 2 }], { c: { d: { e: { f: 1 } } } }, "color: red");
show("%s %s %s %s %s", null, undefined, -0, 5n, Symbol("q"));
show("%s", { toString() { return "custom"; } }, class A {}, function f() {});
show("%s", { a: { b: { c: 1 } } }, [1, [2, [3]]], new Error("in %s").message);
show("%d %d %d %d", "0x10", {}, 7n, Symbol("x"));
show("%i %i %f %f", 4.9, {}, "x", 1n);
show("%x %", 1, "100%", "%s");
show("%%s", 1);
show("%s");
show(1, "%s", 2);
const circularJson = {};
circularJson.self = circularJson;
show("%j", circularJson);

// Objects.
show({}, { a: 1 }, { a: { b: { c: { d: 1 } } } }, { "a-b": 1, 2: 3, [Symbol("k")]: 4 });
show(Object.create(null), Object.assign(Object.create(null), { a: 1 }), Object.create({ inherited: 1 }));
show({ get a() { return 1; }, set b(v) {}, get c() { return 1; }, set c(v) {} });
show({ f() {}, g: () => {}, h: async () => {}, *i() {}, async *j() {}, k: class {}, l: class L extends Map {} });
show({ undefined: undefined, null: null });
show(new (class Foo { a = 1; #hidden = 2; })(), new (class extends Array {})(3), new (class Bar extends Map {})([[1, 2]]));
show({ long: "x".repeat(100), other: "y".repeat(20) });
show({ a: "x".repeat(30), b: "y".repeat(30), c: 1 });
show({ a: 1, b: "two", c: [1, 2, 3], d: { e: { f: { g: {} } } }, h: null, i: undefined, j: true });
const cycle = { name: "cycle", list: [] };
cycle.self = cycle;
cycle.list.push(cycle, { cycle });
show(cycle);
const shared = { s: 1 };
show([shared, shared]);
show({ [Symbol.toStringTag]: "Tagged", a: 1 });
class Tag { get [Symbol.toStringTag]() { return "Other"; } }
show(new Tag());
show(Object.defineProperty({}, "hidden", { value: 1 }), Object.freeze({ frozen: true }));
show(globalThis === undefined, [undefined, null], [, ,], [1, , 3], [, "a", , ,]);

// Arrays.
show([], [1, 2, 3], [[1, [2, [3, [4]]]]], new Array(5), Object.assign([1, 2], { x: 1, "-1": 2 }));
show(Array.from({ length: 7 }, (_, i) => i), Array.from({ length: 30 }, (_, i) => i * 1000));
show(Array.from({ length: 120 }, (_, i) => i));
show(Array.from({ length: 27 }, (_, i) => "item" + i));
show(Array.from({ length: 8 }, (_, i) => ({ id: i, name: "n" + i })));
show(["a".repeat(20), "b".repeat(20), "c".repeat(20), "d".repeat(20)]);
show([[]], [{}], [[[]]], [[[[]]]], [{ a: {} }]);
show([1.5, -2, 300, 4, 5, 6, 7, 88888, 9, 10]);
show(["x", 1, null, undefined, true, "longer string here", 12345]);

// Collections.
show(new Map(), new Map([["a", 1], [{ k: 1 }, new Map([[1, 2]])]]), new Set(), new Set([1, "a", { b: 1 }, [1]]));
show(new Map([[1, 2]]).entries(), new Map([[1, 2]]).keys(), new Map([[1, 2]]).values(), new Set([1, 2]).values(), new Set([1, 2]).entries());
const half = new Map([["a", 1], ["b", 2]]).entries();
half.next();
show(half);
show(new WeakMap(), new WeakSet(), [1, 2][Symbol.iterator](), "ab"[Symbol.iterator]());
show(new Map([["deep", { a: { b: { c: {} } } }]]), { m: new Map([["x", { y: { z: 1 } }]]) });
show(new Set(Array.from({ length: 110 }, (_, i) => i)));

// Binary.
show(new Uint8Array(3), new Float64Array([1.5, -0, NaN]), new BigInt64Array([1n, -2n]), new Uint8Array(0), new Int16Array(200).subarray(0, 5));
show(new ArrayBuffer(4), new Uint8Array([1, 2, 255]).buffer, new DataView(new ArrayBuffer(2)));
show(new Uint8ClampedArray(130));

// Boxes, dates, expressions, functions.
show(new Number(-0), new String("boxed"), new Boolean(false), Object(Symbol("b")), Object(1n), Object.assign(new String("abc"), { x: 1 }));
show(new Date(0), new Date(NaN), [new Date(86400000)], /a\/b/gi, Object.assign(/x/, { extra: 1 }));
show(function () {}, function named() {}, () => {}, class {}, class A {}, class B extends Object {}, Math.max, async function a() {}, function* g() {});
show(Object.assign(function withProps() {}, { a: 1 }), Object.assign(class C {}, { s: 1 }));
class Static { static x = 1; }
show(Static, [Static], { Static });
show((function () { return arguments; })(1, "2"), Math, JSON, Reflect, globalThis.Atomics === 1);
show(function* () {}().toString(), (function* gen() {})(), (async function* agen() {})());

// Proxies show their target; revoked ones say so.
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();
show(new Proxy({ a: 1 }, {}), [new Proxy([1, 2], {})], new Proxy(function f() {}, {}), proxy, new Proxy(new Proxy({ deep: 1 }, {}), {}));
console.dir(new Proxy({ a: 1 }, { get: undefined }), { showProxy: true });
show({ [Symbol.for("x y")]: { [Symbol("in")]: 1 } }, Object.defineProperty({}, Symbol("hidden"), { value: 1 }));
console.dir(Object.defineProperty(Object.defineProperty({}, Symbol("hidden"), { value: 1 }), "h", { value: 2 }), { showHidden: true });
console.dir(new Uint8Array(2), { showHidden: true });
console.dir({ b: new ArrayBuffer(1) }, { depth: 0 });

// Promises.
const rejected = Promise.reject(new RangeError("no").message);
rejected.catch(() => {});
show(Promise.resolve({ a: 1 }), rejected, new Promise(() => {}), [Promise.resolve(1)], Object.assign(Promise.resolve(), { x: 1 }));

// Customs.
const custom = Symbol.for("nodejs.util.inspect.custom");
show({ [custom]: (depth, options, inspect) => `<${depth} ${typeof options.stylize} ${inspect([1])}>` }, [{ [custom]() { return { replaced: 1 }; } }]);
show({ toJSON() { return 1; }, inspect() { return "old"; } });

// dir and its options.
console.dir({ a: { b: { c: { d: 1 } } } });
console.dir({ a: { b: { c: { d: 1 } } } }, { depth: 0 });
console.dir({ a: { b: { c: { d: { e: {} } } } } }, { depth: null });
console.dir([1, 2, 3], { showHidden: true });
console.dir({ b: 1, a: 2 }, { compact: false });
console.dir({ s: "a".repeat(20), t: [1, 2, 3] }, { breakLength: 20 });
console.dir({ b: 1, a: 2, c: 3 }, { sorted: true });
console.dir(Array.from({ length: 10 }, () => 1), { maxArrayLength: 3 });
console.dir("z".repeat(30), { maxStringLength: 10 });
console.dir({ n: 123456789.123, m: 1234567n }, { numericSeparator: true });
console.dir({ get a() { return { b: 1 }; } }, { getters: true });
console.dirxml({ x: 1 }, [2]);
console.dir({ [custom]() { return "custom"; } });

// Strings in containers.
show(["a\nb"], { text: "first\nsecond" }, { text: `${"long line of text ".repeat(4)}\n${"second line ".repeat(8)}` });
show(["x".repeat(200)], "y".repeat(200));
show({ a: ["b", { c: "d" }] }, [["a", "b"], ["c", "d"]]);
show([["name", { first: "A", last: "B" }], ["tags", ["x", "y", "z"]]]);
show({ users: [{ id: 1, name: "Alice", roles: ["admin", "user"] }, { id: 2, name: "Bob", roles: [] }], total: 2, next: null });
