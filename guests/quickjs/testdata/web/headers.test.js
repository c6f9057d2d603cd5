// Headers, after https://fetch.spec.whatwg.org/#headers-class
import { anInterface, check, done, same, throws } from "./check.js";

const typeError = { name: "TypeError" };
anInterface(Headers, "Headers", { methods: { append: 2, delete: 1, get: 1, getSetCookie: 0, has: 1, set: 2, entries: 0, forEach: 1, keys: 0, values: 0 } });
check(Headers.prototype[Symbol.iterator] === Headers.prototype.entries, "the iterator is entries");
same(Object.getOwnPropertyDescriptor(Headers.prototype, Symbol.iterator).enumerable, false);

// Construction.
for (const bad of [null, 1, "a", true, Symbol.iterator, [1], [["a"]], [["a", "b", "c"]], ["ab"], [[]], { "a b": "c" }, { "": "x" }, { a: "\0" }, { a: "b\nc" }, { "\u0100": "x" }, { a: "\u0100" }, { [Symbol()]: "x" }, { [Symbol.iterator]: 5 }]) {
  throws(() => new Headers(bad), typeError, `new Headers(${typeof bad})`);
}
same([...new Headers()], []);
same([...new Headers(undefined)], []);
same([...new Headers({})], []);
same([...new Headers([["b", "1"], ["A", " 2\t"], ["a", "3"]])], [["a", "2, 3"], ["b", "1"]]);
same([...new Headers({ B: 1, a: null })], [["a", "null"], ["b", "1"]]);
same([...new Headers(new Map([["x", "y"]]))], [["x", "y"]]);
same([...new Headers(new Set([new Set(["x", "y"])]))], [["x", "y"]]);
same([...new Headers(function* () { yield ["k", "v"]; }())], [["k", "v"]]);
same([...new Headers(new Headers([["a", "1"], ["a", "2"], ["set-cookie", "x"], ["set-cookie", "y"]]))], [["a", "1, 2"], ["set-cookie", "x"], ["set-cookie", "y"]]);
const altered = new Headers({ a: "1" });
altered[Symbol.iterator] = function* () { yield ["z", "9"]; };
same([...new Headers(altered)].length, 1);
same(new Headers(altered).get("z"), "9");
class Sub extends Headers { own() { return this.get("a"); } }
same(new Sub({ a: "b" }).own(), "b");
check(new Sub() instanceof Sub && new Sub() instanceof Headers);
same([...new Headers({ __proto__: { a: "1" } })], []);
same([...new Headers(Object.defineProperty({ b: "2" }, "a", { value: "1", enumerable: false }))], [["b", "2"]]);

// A record is read in the order of Web IDL.
const log = [];
const watched = (target) => new Proxy(target, {
  get(t, k, r) { log.push(`get ${String(k)}`); return Reflect.get(t, k, r); },
  ownKeys(t) { log.push("ownKeys"); return Reflect.ownKeys(t); },
  getOwnPropertyDescriptor(t, k) { log.push(`own ${String(k)}`); return Reflect.getOwnPropertyDescriptor(t, k); },
});
new Headers(watched({ a: "b", c: "d" }));
same(log, ["get Symbol(Symbol.iterator)", "ownKeys", "own a", "get a", "own c", "get c"]);
log.length = 0;
throws(() => new Headers(watched({ a: "b", "\u0100": "d", e: "f" })), typeError);
same(log, ["get Symbol(Symbol.iterator)", "ownKeys", "own a", "get a", "own \u0100"]);
log.length = 0;
throws(() => new Headers(watched({ "a b": "c", d: "e" })), typeError);
same(log.length, 6, "validity is checked after all conversions");

// Methods.
const h = new Headers();
for (const method of ["append", "set", "get", "has", "delete"]) {
  throws(() => h[method](), typeError, `${method} without arguments`);
  throws(() => h[method]("a b", "x"), typeError, `${method} of a bad name`);
  throws(() => h[method]("", "x"), typeError, `${method} of no name`);
  throws(() => h[method]("a\u00ff", "x"), typeError, `${method} of a name beyond ASCII`);
  throws(() => Headers.prototype[method].call({}, "a", "b"), typeError, `${method} of something else`);
}
throws(() => h.append("a"), typeError);
throws(() => h.set("a"), typeError);
for (const bad of ["\0", "a\0", "a\nb", "a\rb", "\u0100"]) {
  throws(() => h.append("a", bad), typeError);
  throws(() => h.set("a", bad), typeError);
}
same([...h], []);
h.append("Accept", "  text/html\r\n");
h.append("ACCEPT", "x");
same(h.get("accept"), "text/html, x");
same(h.has("aCCept"), true);
h.set("Accept", "\u00e9");
same(h.get("ACCEPT"), "\u00e9");
h.append("empty", "");
same(h.get("empty"), "");
h.append("empty", "");
same(h.get("empty"), ", ");
h.delete("EMPTY");
same([h.get("empty"), h.has("empty"), h.delete("none")], [null, false, undefined]);
same(h.append("x", 5), undefined);
same(h.get("x"), "5");
h.set("!#$%&'*+-.^_`|~0Az", "ok");
same(h.get("!#$%&'*+-.^_`|~0aZ"), "ok");
const order = new Headers([["a", "1"], ["b", "2"], ["a", "3"], ["c", "4"], ["a", "5"]]);
order.set("a", "9");
same([...order], [["a", "9"], ["b", "2"], ["c", "4"]]);

// Set-Cookie.
const cookies = new Headers([["Set-Cookie", "a=1"], ["x", "y"], ["set-cookie", "b=2"]]);
same(cookies.getSetCookie(), ["a=1", "b=2"]);
same([...cookies], [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x", "y"]]);
same(cookies.get("Set-Cookie"), "a=1, b=2");
cookies.set("set-cookie", "c");
same(cookies.getSetCookie(), ["c"]);
cookies.delete("set-cookie");
same(cookies.getSetCookie(), []);

// Iteration is live.
const live = new Headers([["a", "1"], ["b", "2"], ["c", "3"]]);
const seen = [];
for (const [k] of live) {
  seen.push(k);
  live.delete(k);
}
same(seen, ["a", "c"]);
const grow = new Headers([["b", "1"]]);
const grown = [];
for (const [k] of grow) {
  grown.push(k);
  if (grown.length < 4) grow.append(`c${grown.length}`, "x");
}
same(grown, ["b", "c1", "c2", "c3"]);
const it = new Headers({ a: "1" }).entries();
const proto = Object.getPrototypeOf(it);
same(Object.prototype.toString.call(it), "[object Headers Iterator]");
check(Object.getPrototypeOf(proto) === Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())), "iterators inherit from the intrinsic");
same(Object.getOwnPropertyDescriptor(proto, "next").enumerable, true);
same(it.next(), { value: ["a", "1"], done: false });
same(it.next(), { value: undefined, done: true });
check(it[Symbol.iterator]() === it);
throws(() => proto.next.call({}), typeError);
throws(() => proto.next.call(new URLSearchParams("a").keys()), typeError);
same([...new Headers({ b: "1", a: "2" }).keys()], ["a", "b"]);
same([...new Headers({ b: "1", a: "2" }).values()], ["2", "1"]);
const calls = [];
const self = {};
const each = new Headers({ b: "1", a: "2" });
same(each.forEach(function (value, name, of) { calls.push([this === self, value, name, of === each]); each.delete("b"); }, self), undefined);
same(calls, [[true, "2", "a", true]]);
throws(() => each.forEach(), typeError);
throws(() => each.forEach({}), typeError);
throws(() => each.forEach(() => { throw new RangeError("out"); }), { name: "RangeError", message: "out" });

// Hostile conversions: the list changes while arguments are converted.
const changing = new Headers([["a", "1"]]);
changing.append("b", { toString() { changing.delete("a"); for (let i = 0; i < 50; i++) changing.append(`n${i}`, "x"); return "2"; } });
same([changing.get("a"), changing.get("b"), [...changing].length], [null, "2", 51]);
const many = new Headers();
for (let i = 0; i < 300; i++) many.append(`h${i % 100}`, String(i));
same([[...many].length, many.get("h7")], [100, "7, 107, 207"]);

// The guard.
const immutable = Response.error().headers;
for (const change of [() => immutable.append("a", "b"), () => immutable.set("a", "b"), () => immutable.delete("a")]) throws(change, typeError);
done();
