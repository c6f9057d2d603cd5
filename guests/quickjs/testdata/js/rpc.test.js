// Values, stubs and calls, within one isolate: what goes through an RpcStub is
// written and read as it is between isolates.
import { RpcPromise, RpcStub, RpcTarget } from "node:cloudflare-workers";
import { check, done, rejects, same, sleep, throws } from "./check.js";

const echo = new RpcStub((value) => value);
const refused = (name) => ({ name: "DataCloneError", message: `Could not serialize object of type "${name}". This type does not support serialization.` });

// ---- values

for (const value of [
  undefined, null, true, false, 0, -0, 1, -1, 23, 24, 255, 256, 65535, 65536, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 53, 1e300, -1.5, 5e-324,
  NaN, Infinity, -Infinity, "", "a", "é", "\u0100", "\u{1F600}", "a\ud800", "\udc00\ud800x", "x".repeat(300), "é".repeat(70000),
  0n, 1n, -1n, 127n, -128n, 255n, 2n ** 31n, -(2n ** 31n), 2n ** 32n, 2n ** 63n, -(2n ** 63n), 2n ** 64n - 1n, 2n ** 200n, -(2n ** 200n) + 1n,
]) same(await echo(value), value, `echo of ${String(value).slice(0, 30)}`);
{
  const rope = "ab".repeat(5) + Math.floor(7.5);
  same(await echo([rope + "\u0101" + rope]), [rope + "\u0101" + rope], "a rope");
}
{
  const o = await echo({ b: 1, a: { "": 2, "\ud800": 3, é: 4, __proto__: null === 1 }, 3: "x", 1: "y", ["__proto__"]: 7, get g() { return 5; } });
  same(Object.keys(o), ["1", "3", "b", "a", "__proto__", "g"], "keys in their order");
  same([o.g, o.a["\ud800"], o.a["é"], Object.getPrototypeOf(o) === Object.prototype], [5, 3, 4, true], "members");
}
{
  const sparse = [1, , 3];
  sparse.length = 5;
  sparse.more = "x";
  const a = await echo(sparse);
  same([a.length, 1 in a, 2 in a, a[2], a.more, Object.keys(a)], [5, false, true, 3, "x", ["0", "2", "more"]], "a sparse array");
  const huge = [];
  huge[4294967290] = 1;
  const b = await echo(huge);
  same([b.length, b[4294967290]], [4294967291, 1], "a huge sparse array");
  same(await echo([[], [1, [2, [3]]]]), [[], [1, [2, [3]]]], "arrays");
}
{
  const cycle = { list: [] };
  cycle.self = cycle;
  cycle.list.push(cycle, cycle.list);
  cycle.map = new Map([[cycle, cycle.list]]);
  cycle.set = new Set([cycle.map]);
  cycle.error = new RangeError("round", { cause: cycle });
  const c = await echo(cycle);
  same([c.self === c, c.list[0] === c, c.list[1] === c.list, c.map.get(c) === c.list, c.set.has(c.map), c.error.cause === c], [true, true, true, true, true, true], "cycles");
  const inner = {};
  const shared = await echo([inner, inner, new Date(1), { inner }]);
  check(shared[0] === shared[1] && shared[3].inner === shared[0], "sharing");
}
{
  const [date, wrong, re, n, s, b, big] = await echo([new Date(1e12), new Date(NaN), /a\/(?<x>b)\u{1F600}/dgimsuy, new Number(-0), new String("x"), new Boolean(false), Object(5n)]);
  same([date.getTime(), Number.isNaN(wrong.getTime()), re.source, re.flags, Object.is(n.valueOf(), -0), s.valueOf(), b.valueOf(), big.valueOf()],
    [1e12, true, "a\\/(?<x>b)\\u{1F600}", "dgimsuy", true, "x", false, 5n], "dates, expressions and wrappers");
  same([date instanceof Date, re instanceof RegExp, typeof n, typeof big], [true, true, "object", "object"], "their classes");
}
{
  const map = await echo(new Map([[1, "a"], ["1", new Set([NaN, "x"])], [{}, -0]]));
  same([...map.keys()].length, 3, "map");
  check(map.get("1").has(NaN) && [...map.get("1")].length === 2, "set in a map");
}
{
  const buffer = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer;
  const views = await echo([
    buffer, new Uint8Array(buffer), new Uint8ClampedArray(buffer, 1, 2), new Int8Array(buffer), new Uint16Array(buffer, 2, 1), new Int16Array(buffer), new Uint32Array(buffer),
    new Int32Array(buffer), new BigUint64Array(buffer), new BigInt64Array(buffer), new Float32Array(buffer), new Float64Array(buffer), new DataView(buffer, 3, 2), new DataView(buffer),
  ]);
  check(views.slice(1).every((v) => v.buffer === views[0]), "views share their buffer");
  same(views.slice(1).map((v) => [v.constructor.name, v.byteOffset, v.byteLength]), [
    ["Uint8Array", 0, 8], ["Uint8ClampedArray", 1, 2], ["Int8Array", 0, 8], ["Uint16Array", 2, 2], ["Int16Array", 0, 8], ["Uint32Array", 0, 8], ["Int32Array", 0, 8], ["BigUint64Array", 0, 8],
    ["BigInt64Array", 0, 8], ["Float32Array", 0, 8], ["Float64Array", 0, 8], ["DataView", 3, 2], ["DataView", 0, 8],
  ], "views");
  same([...new Uint8Array(views[0])], [1, 2, 3, 4, 5, 6, 7, 8], "bytes");
  const resizable = new ArrayBuffer(4, { maxByteLength: 16 });
  const tracking = await echo([new Uint8Array(resizable, 1), resizable]);
  tracking[1].resize(10);
  same([tracking[0].length, tracking[1].maxByteLength, tracking[0].buffer === tracking[1]], [9, 16, true], "a view that tracks a resizable buffer");
  const part = await echo(Buffer.from("part of a pool"));
  same([part.constructor.name, part.buffer.byteLength, new TextDecoder().decode(part)], ["Uint8Array", 14, "part of a pool"], "a Buffer takes nothing along");
  await rejects(echo(structuredClone(buffer, { transfer: [buffer] }) && buffer), { name: "DataCloneError" }, "a detached buffer");
}
{
  class Mine extends TypeError {
    name = "Mine";
    code = "E_MINE";
    detail = { list: [1] };
    method() {}
  }
  const mine = new Mine("text", { cause: new SyntaxError("inner") });
  mine.unclonable = new WeakMap();
  mine.call = () => {};
  const e = await echo(mine);
  same([e instanceof TypeError, e.name, e.message, e.code, e.detail, e.cause instanceof SyntaxError, e.cause.message, "unclonable" in e, "call" in e, Object.keys(e)],
    [true, "Mine", "text", "E_MINE", { list: [1] }, true, "inner", false, false, ["code", "detail"]], "an error of a class");
  check(typeof e.stack === "string" && e.stack.includes("rpc.test.js"), "its stack");
  const aggregate = await echo(new AggregateError([new Error("a"), 5], "all"));
  same([aggregate instanceof AggregateError, aggregate.message, aggregate.errors[0].message, aggregate.errors[1]], [true, "all", "a", 5], "AggregateError");
  const dom = await echo(new DOMException("gone", "AbortError"));
  same([dom instanceof DOMException, dom.name, dom.message, dom.code], [true, "AbortError", "gone", 20], "DOMException");
  for (const E of [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, Error]) {
    const one = await echo(new E("m"));
    check(one.constructor === E && one.message === "m" && !Object.keys(one).length, E.name);
  }
}
{
  const [blob, file, headers] = await echo([new Blob(["é"], { type: "text/plain" }), new File(["abc"], "a.txt", { lastModified: 5 }), new Headers([["A", "1"], ["set-cookie", "x"], ["Set-Cookie", "y"]])]);
  same([blob instanceof Blob, await blob.text(), blob.type, file instanceof File, file.name, file.lastModified, await file.text()], [true, "é", "text/plain", true, "a.txt", 5, "abc"], "Blob and File");
  same([headers instanceof Headers, [...headers]], [true, [["a", "1"], ["set-cookie", "x"], ["set-cookie", "y"]]], "Headers");
  const response = await echo(new Response("body", { status: 201, statusText: "Made", headers: { x: "y" } }));
  same([response.status, response.statusText, response.headers.get("x"), await response.text()], [201, "Made", "y", "body"], "Response");
  const empty = await echo(new Response(null, { status: 204 }));
  same([empty.status, empty.body], [204, null], "Response without a body");
  const request = await echo(new Request("https://example.com/a?b", { method: "PUT", body: new Uint8Array([1, 2]), headers: { c: "d" }, redirect: "manual" }));
  same([request.url, request.method, request.redirect, request.headers.get("c"), [...await request.bytes()]], ["https://example.com/a?b", "PUT", "manual", "d", [1, 2]], "Request");
  const used = new Response("x");
  await used.text();
  await rejects(echo(used), { name: "TypeError" }, "a used body");
  const { readable, writable } = new TransformStream();
  const streamed = echo(new Response(readable));
  const writer = writable.getWriter();
  writer.write(new TextEncoder().encode("streamed"));
  writer.close();
  same(await (await streamed).text(), "streamed", "a streamed body");
}
{
  const controller = new AbortController();
  const signal = await echo(controller.signal);
  same(signal.aborted, false, "signal");
  controller.abort(new RangeError("why"));
  await sleep();
  same([signal.aborted, signal.reason.message], [true, "why"], "signal that follows");
  same((await echo(AbortSignal.abort("r"))).reason, "r", "aborted signal");
}

// ---- what can't be passed on

class Foo { foo() { return 1; } }
for (const [value, name] of [
  [new Foo(), "Foo"], [Object.create(null), "Object"], [new WeakMap(), "WeakMap"], [new URL("https://example.com"), "URL"], [new URLSearchParams(), "URLSearchParams"], [new FormData(), "FormData"],
  [[{ a: new Foo() }], "Foo"], [new Map([[1, new Foo()]]), "Foo"], [function* () {}(), "Generator"], [new TextEncoder(), "TextEncoder"], [new (class extends Map {})(), undefined],
]) {
  if (name === undefined) same((await echo(value)) instanceof Map, true, "subclass of Map");
  else await rejects(echo(value), refused(name), name);
}
await rejects(echo(Symbol("s")), { name: "DataCloneError" }, "symbol");
await rejects(echo({ p: echo(1) }), refused("RpcPromise"), "promise of a call");
await rejects(echo([echo.x]), refused("RpcProperty"), "property");
throws(() => structuredClone(echo), { name: "DataCloneError" }, "structuredClone of a stub");
await rejects(echo({ get a() { throw new RangeError("getter"); } }), { name: "RangeError", message: "getter" }, "getter that throws");
{
  let deep = [];
  for (let i = 0; i < 400; i++) deep = [deep];
  check(Array.isArray(await echo(deep)), "nested 400 deep");
  for (let i = 0; i < 1000; i++) deep = [deep];
  await rejects(echo(deep), { name: "DataCloneError" }, "nested too deeply");
  await rejects(echo(new Uint8Array(33 << 20)), { name: "Error", message: `Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: ${(33 << 20) + 8} bytes.` }, "too large");
}

// ---- stubs and targets

class Counter extends RpcTarget {
  #n;
  own = "nope";
  disposed = 0;
  constructor(n = 0) { super(); this.#n = n; }
  increment(by = 1) { return this.#n += by; }
  get value() { return this.#n; }
  fail() { throw new RangeError("failed"); }
  make(n) { return new Counter(n); }
  nested() { return { counter: new Counter(5), list: [() => "listed"], text: "hello" }; }
  [Symbol.dispose]() { this.disposed++; }
}
const counter = new Counter(4);
const stub = new RpcStub(counter);
same([await stub.increment(5), await stub.increment(), await stub.value], [9, 10, 10], "methods and getters");
same([typeof stub, stub instanceof RpcStub, stub.then, stub.increment(0) instanceof RpcPromise, "then" in stub, "increment" in stub, Symbol.dispose in stub], ["function", true, undefined, true, false, true, true], "a stub's looks");
check((await Promise.resolve(stub)) === stub, "a stub isn't awaited");
same(await Promise.all([stub.increment(1), stub.increment(1), stub.increment(1)]), [11, 12, 13], "calls in their order");
for (const [name, message] of [
  ["missing", 'The RPC receiver does not implement the method "missing".'], ["own", 'The RPC receiver does not implement the method "own".'], ["toString", 'The RPC receiver does not implement the method "toString".'],
  ["hasOwnProperty", 'The RPC receiver does not implement the method "hasOwnProperty".'], ["value", '"value" is not a function.'],
]) await rejects(stub[name](), { name: "TypeError", message }, name);
const through = (name) => new RpcStub({ t: counter }).t[name];
await rejects(through("dup")(), { name: "TypeError", message: "'dup' is a reserved method and cannot be called over RPC." }, "dup is reserved");
await rejects(stub(), { name: "TypeError", message: '"(this)" is not a function.' }, "a target is no function");
await rejects(stub.fail(), { name: "RangeError", message: "failed" }, "a method that throws");
same([await stub.fail().catch((e) => e.message), await stub.increment(0).finally(() => {})], ["failed", 13], "catch and finally");
{
  const plain = new RpcStub({ add: (a, b) => a + b, deep: { f: () => "deep", target: new Counter(7), foo: new Foo(), bare: Object.assign(Object.create(null), { x: 1 }) }, text: "t", promised: Promise.resolve(6) });
  same([await plain.add(1, 2), await plain.deep.f(), await plain.deep.target.increment(), await plain.text, await plain.promised], [3, "deep", 8, "t", 6], "plain objects");
  await rejects(plain.deep.foo.foo(), { message: 'The RPC receiver does not implement the method "foo".' }, "other classes");
  await rejects(plain.deep.bare.x, { message: 'The RPC receiver does not implement the method "bare".' }, "no prototype");
  await rejects(plain.text.length, { message: 'The RPC receiver does not implement the method "text".' }, "of a string");
}
for (const wrong of [5, "x", null, undefined, new Foo(), new Map(), stub]) throws(() => new RpcStub(wrong), { name: "TypeError" }, "RpcStub of something else");
{
  const proxied = new RpcStub(new Proxy(new Counter(1), {}));
  same((await rejects(proxied.increment(), { name: "TypeError" }, "private members of a proxy")) instanceof TypeError, true, "proxy of a target");
  const virtual = await echo(new Proxy({}, { get: (t, key) => (typeof key === "string" ? () => key : undefined), has: () => true, getOwnPropertyDescriptor: (t, key) => (typeof key === "string" ? { value: 1, configurable: true, enumerable: true } : undefined) }));
  same(await virtual.anything(), "anything", "proxy of a plain object becomes a stub");
  await rejects(echo(new Proxy(new Foo(), {})), { name: "DataCloneError" }, "proxy of another class");
}

// ---- pipelining

same(await stub.make(12).increment(3), 15, "a call on a result");
same([await stub.nested().text, await stub.nested().counter.increment(2), await stub.nested().counter.value], ["hello", 7, 5], "properties of a result");
await rejects(stub.nested().list[0](), { name: "TypeError", message: 'The RPC receiver does not implement the method "list".' }, "arrays aren't looked through");
await rejects(stub.fail().anything.at.all(), { name: "RangeError", message: "failed" }, "a failed first call fails the others");
await rejects(stub.increment(0).foo(), { message: 'The RPC receiver does not implement the method "foo".' }, "a call on a number");
{
  const args = { n: 1 };
  const promise = stub.make(1);
  const later = new RpcStub({ get: () => new RpcStub((o) => o.n) }).get()(args);
  args.n = 2;
  same(await later, 1, "arguments are those of the time of the call");
  same(await promise.increment(1), 2, "a promise is used twice");
  same(await promise.increment(1), 3, "a promise is used thrice");
  let long = new RpcStub({});
  for (let i = 0; i < 65; i++) long = long.x;
  await rejects(long(), { name: "Error" }, "a path that is too long");
}

// ---- disposal

{
  const c = new Counter(1);
  const s = new RpcStub(c);
  const other = s.dup();
  s[Symbol.dispose]();
  await rejects(s.increment(), { name: "Error", message: "RPC stub used after being disposed." }, "a disposed stub");
  throws(() => s.dup(), { name: "Error", message: "RPC stub used after being disposed." }, "dup of a disposed stub");
  same(await other.increment(), 2, "its duplicate");
  same(c.disposed, 0, "the target while there is a stub");
  other[Symbol.dispose]();
  other[Symbol.dispose]();
  await sleep();
  same(c.disposed, 1, "the target without a stub");
}
{
  let kept;
  const taker = new RpcStub({ take: (f) => f(1), keep: (f) => { kept = f.dup(); return f; }, lose: (f) => { kept = f; } });
  const c = new Counter(1);
  same(await taker.take((n) => n + 1), 2, "a function as an argument");
  const back = await taker.keep(c);
  same([await kept.increment(), await back.increment()], [2, 3], "a stub that was kept and one that came back");
  kept[Symbol.dispose]();
  await sleep();
  same(c.disposed, 0, "the target is held still");
  back[Symbol.dispose]();
  await sleep();
  same(c.disposed, 1, "the target is let go");
  await taker.lose(c);
  await rejects(kept.increment(), { message: "RPC stub used after being disposed." }, "an argument after the call");
}
{
  let disposed = 0;
  const api = new RpcStub({ get: () => ({ a: new Counter(1), b: [() => 2], [Symbol.dispose]() { disposed++; } }), bare: () => ({ x: 1 }) });
  const result = await api.get();
  same([await result.a.increment(), await result.b[0](), typeof result[Symbol.dispose], Object.keys(result)], [2, 2, "function", ["a", "b"]], "a result with stubs");
  result[Symbol.dispose]();
  await rejects(result.a.increment(), { message: "RPC stub used after being disposed." }, "a stub of a disposed result");
  await rejects(result.b[0](), { message: "RPC stub used after being disposed." }, "a function of a disposed result");
  await sleep();
  same(disposed, 1, "the result's own disposer");
  same(typeof (await api.bare())[Symbol.dispose], "function", "every object can be disposed of");
  const promise = api.get();
  const call = promise.a.increment();
  promise[Symbol.dispose]();
  same(await call, 2, "a call that was made before the promise was disposed of");
  await rejects(promise.a.increment(), { message: "RPC promise used after being disposed." }, "a disposed promise");
  await sleep();
  same(disposed, 2, "its result is disposed of");
}
{
  // What was given out is taken back where the message fails.
  const c = new Counter(1);
  await rejects(echo([c, new Foo()]), refused("Foo"), "a stub beside what can't be passed on");
  await sleep();
  same(c.disposed, 1, "it is let go");
}
same(`${(await import("node:util")).inspect([stub, stub.x])}`, "[ RpcStub {}, RpcProperty {} ]", "inspect");
done();
