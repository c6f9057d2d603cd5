// Calls callee.js in another isolate, and checks what comes of it. The answer
// lists what is not as it should be.
import { RpcPromise, RpcStub, RpcTarget } from "cloudflare:workers";

const decoder = new TextDecoder();
const show = (v) => { try { return JSON.stringify(v, (k, x) => (typeof x === "bigint" ? `${x}n` : x)) ?? String(v); } catch { return String(v); } };

let failures, passed;
function same(got, want, what) {
  if (show(got) === show(want)) passed++;
  else failures.push(`${what}: ${show(got)}, not ${show(want)}`);
}
async function rejects(promise, want, what) {
  try {
    failures.push(`${what}: no error but ${show(await (typeof promise === "function" ? promise() : promise))}`);
  } catch (e) {
    const got = {};
    for (const k of Object.keys(want)) got[k] = e?.[k];
    same(got, want, what);
  }
}
const gone = { name: "Error", message: "RPC stub used after being disposed." };
const missing = (name) => ({ name: "TypeError", message: `The RPC receiver does not implement the method "${name}".` });
const refused = (name) => ({ name: "DataCloneError", message: `Could not serialize object of type "${name}". This type does not support serialization.` });
async function until(f, what) {
  for (let i = 0; i < 200; i++) {
    if (await f()) { passed++; return; }
    await scheduler.wait(5);
  }
  failures.push(`${what}: never`);
}

class Counter extends RpcTarget {
  #n;
  disposed = 0;
  constructor(n) { super(); this.#n = n; }
  increment(by = 1) { return this.#n += by; }
  [Symbol.dispose]() { this.disposed++; }
}

let leftover;

const tests = {
  async values({ C }) {
    for (const v of [undefined, null, 1, -0, "é\ud800", 12n, [1, , 3], { a: { b: [] } }, "x".repeat(1e6)]) same(await C.echo(v), v, "echo");
    const shared = { date: new Date(5) };
    const [map, back] = await C.echo(new Map([[shared, shared]]), shared);
    same([map.has(back), back.date.getTime()], [true, 5], "sharing across arguments");
    const bytes = await C.echo(new Uint8Array(3 << 20).fill(7));
    same([bytes.length, bytes[bytes.length - 1]], [3 << 20, 7], "bytes");
    same(await C.noResult(), undefined, "no result");
    const e = await C.echo(new TypeError("passed", { cause: "c" }));
    same([e instanceof TypeError, e.message, e.cause], [true, "passed", "c"], "an error as a value");
    await rejects(C.echo(new Map([[1, new Set([new (class Foo {})()])]])), refused("Foo"), "argument of a class");
    await rejects(C.other(), refused("Other"), "result of a class");
    await rejects(C.other().other.foo(), refused("Other"), "pipelined on a result of a class");
    await rejects(C.echo(new Uint8Array(32 << 20)), { name: "Error", message: `Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: ${(32 << 20) + 8} bytes.` }, "too large");
  },
  async members({ C, H, P }) {
    same([await C.text, await C.promised, await C.functional(19, 6), await C.nested.f(6, 4), await C.nested.deeper.g(3), await C.nested.counter.increment(3), await C.nested.text], ["text", 123, 13, 24, -3, 8, "hello"], "properties");
    same([await C.get(1), await C.put(1, 2)], ["get 1", "put 1 2"], "names that Fetchers had once");
    const counter = await C.nested.counter;
    same([await counter.increment(3), await counter.value], [8, 8], "a target of a property");
    await rejects(C.instanceMethod(), missing("instanceMethod"), "instance member");
    for (const name of ["env", "ctx", "toString", "hasOwnProperty", "none"]) await rejects(C[name](), missing(name), name);
    await rejects(C.nested.other.foo(), missing("other"), "member of another class");
    await rejects(C.text(), { name: "TypeError", message: '"text" is not a function.' }, "call of a text");
    await rejects(C.nested.deeper.none(), missing("none"), "missing deep member");
    await rejects(C.throwing, { name: "Error", message: "PROPERTY" }, "throwing property");
    await rejects(C.throws(), { name: "RangeError", message: "METHOD" }, "throwing method");
    await rejects(C.throwsMine(), { name: "MineError", message: "mine", code: "E_MINE" }, "error of another name");
    same([await C.throws().catch((e) => e.message), await C.throwing.then(1, (e) => e.message)], ["METHOD", "PROPERTY"], "catch and then");
    try { await C.throws(); } catch (e) { same([e instanceof RangeError, typeof e.stack], [true, "string"], "class of an error"); }
    same(await H.one("arg"), ["arg", "object", "function"], "handler of a plain object");
    same(await H.nested.deep(5), [5, "object"], "nested handler");
    await rejects(H.none(), { name: "TypeError", message: 'Attempted to call RPC function "none" with the wrong number of arguments. When calling a top-level handler function that is not declared as part of a class, you must always send exactly one argument. In order to support variable numbers of arguments, the server must use class-based syntax (extending WorkerEntrypoint) instead.' }, "handler without an argument");
    await rejects(H.four(1), { name: "TypeError", message: 'Cannot call handler function "four" over RPC because it has the wrong number of arguments. A simple function handler can only be called over RPC if it has exactly the arguments (arg, env, ctx), where only the first argument comes from the client. To support multi-argument RPC functions, use class-based syntax (extending WorkerEntrypoint) instead.' }, "handler of four");
    same(await P.props, { list: [1], who: "me" }, "props");
    const response = await C.fetch("http://example.com/p", { method: "POST", body: "x" });
    same([response.status, response.headers.get("x"), await response.text()], [200, "y", "POST http://example.com/p"], "fetch");
    same(await (await H.fetch("http://x/")).text(), "handlers", "fetch of handlers");
    same([C.x instanceof RpcPromise, C.echo(1) instanceof RpcPromise, typeof C, typeof C.echo, C.then], [false, true, "object", "function", undefined], "looks");
  },
  async pipelining({ C }) {
    same([await C.counter(12).increment(3), await C.object(5).foo, await C.object(5).counter.increment(7), await C.f()(3, 6), await C.f().property], [15, 105, 12, 5, 7], "on results");
    await rejects(C.throws().a.b(), { name: "RangeError", message: "METHOD" }, "first call failed");
    const p = C.counter(1);
    same(await Promise.all([p.increment(1), p.increment(1), p.increment(1)]), [2, 3, 4], "order");
    const passed = await p;
    same(await passed.increment(1), 5, "the same object");
  },
  async functions({ C }) {
    const seen = [];
    same(await C.call((a, b) => { seen.push(a); return a + b; }, 1, 2), 3, "callback");
    same(seen, [1], "callback ran here");
    same(await C.call(async () => { await scheduler.wait(1); return "later"; }), "later", "async callback");
    await rejects(C.call(() => { throw new SyntaxError("in callback"); }), { name: "SyntaxError", message: "in callback" }, "callback that throws");
    same(await C.call((f) => f(20), (n) => n + 1), 21, "callback of a callback");
    same(await C.call(async (f) => (await f(1)) + 1, (n) => n * 100), 101, "a function comes home");
    same(await C.member({ m: (n) => n * 2 }, "m", 4), 8, "member of an object");
    const deep = (n) => (n === 0 ? "bottom" : C.call(deep, n - 1));
    same(await deep(5), "bottom", "to and fro");
  },
  async disposal({ C }) {
    const told = [];
    const tell = (what) => { told.push(what); };
    {
      const counter = await C.counter(12, tell);
      same(await counter.increment(3), 15, "before");
      counter[Symbol.dispose]();
      await rejects(counter.increment(2), gone, "disposed");
      await until(() => told.join() === "counter", "disposal of the target");
    }
    {
      const object = await C.object(5, tell);
      same([await object.counter.increment(7), Object.keys(object)], [12, ["foo", "counter"]], "object");
      object[Symbol.dispose]();
      await rejects(object.counter.increment(2), gone, "in a disposed result");
      await until(() => told.sort().join() === "counter,counter,object", "disposers of a result");
    }
    {
      const counter = new Counter(3);
      same(await C.useTwice(counter), [4, 5], "target as an argument");
      await until(() => counter.disposed === 1, "disposal of an argument");
    }
    {
      const counter = new Counter(3);
      const object = await C.testDispose(counter);
      await rejects(object.original(1), gone, "argument after its call");
      same([await object.copy(1), await object.counter.increment(1)], [4, 5], "a duplicate, and what came back");
      same(counter.disposed, 0, "not yet");
      object[Symbol.dispose]();
      await rejects(object.copy(1), gone, "after all");
      await until(() => counter.disposed === 1, "disposal after the last stub");
    }
    {
      const counter = new Counter(3);
      const stub = new RpcStub(counter);
      same([await C.useTwice(stub), await stub.increment()], [[4, 5], 6], "a stub of one's own, passed");
      const back = await C.echo(stub);
      same(await back.increment(), 7, "and back");
      stub[Symbol.dispose]();
      same(await back.increment(), 8, "what came back lives");
      back[Symbol.dispose]();
      await until(() => counter.disposed === 1, "the last one");
    }
    {
      const counter = new Counter(0);
      await rejects(C.echo(counter, new WeakSet()), refused("WeakSet"), "beside what can't go");
      await until(() => counter.disposed === 1, "what was not sent");
    }
    {
      using counter = C.counter(1, tell);
      same(await counter.increment(), 2, "using a promise");
    }
    await until(() => told.length === 4, "using");
  },
  async services({ C, env }) {
    same(await C.fetchIt(env.CALLEE, "http://inner/"), "GET http://inner/", "a service as an argument");
    const back = await C.echo(env.CALLEE);
    same([await back.echo(5), await (await back.fetch("http://y/")).text(), typeof back], [5, "GET http://y/", "object"], "and back");
    const copy = back.dup();
    back[Symbol.dispose]();
    same(await copy.echo(6), 6, "dup of a service");
    await rejects(back.echo(1), gone, "a disposed service");
    env.CALLEE[Symbol.dispose]();
    same(await env.CALLEE.echo(7), 7, "a binding stays");
  },
  async streams({ C }) {
    {
      const { readable, writable } = new IdentityTransformStream();
      const promise = C.write(writable, "foo, ", "bar, ", "baz!");
      same(await new Response(readable).text(), "foo, bar, baz!", "WritableStream as an argument");
      await promise;
    }
    {
      const { readable, writable } = new IdentityTransformStream();
      const promise = C.read(readable);
      const writer = writable.getWriter();
      await writer.write(new TextEncoder().encode("foo, "));
      await writer.write(new TextEncoder().encode("bar"));
      await writer.close();
      same(await promise, "foo, bar", "ReadableStream as an argument");
      same(readable.locked, true, "which is locked");
    }
    same(await C.read(new Blob(["of a blob"]).stream()), "of a blob", "a blob's stream");
    same(await new Response(await C.stream("x", "y")).text(), "xy", "ReadableStream as a result");
    const [a, { b }] = await C.streams();
    same([await new Response(a).text(), await new Response(b).text()], ["a", "b1b2"], "several");
    {
      const { readable, writable } = new IdentityTransformStream();
      const [r, w] = [await C.echo(readable), await C.echo(writable)];
      const text = new Response(r).text();
      const writer = w.getWriter();
      await writer.write(new TextEncoder().encode("round "));
      await writer.write(new TextEncoder().encode("trip"));
      await writer.close();
      same(await text, "round trip", "round trip of both");
    }
    {
      const { readable, writable } = new IdentityTransformStream();
      readable.getReader();
      writable.getWriter();
      await rejects(C.read(readable), { name: "TypeError", message: "The ReadableStream has been locked to a reader." }, "locked readable");
      await rejects(C.write(writable), { name: "TypeError", message: "The WritableStream has been locked to a writer." }, "locked writable");
    }
    {
      const endless = await C.endless();
      const reader = endless.stream.getReader();
      for (let i = 0; i < 3; i++) await reader.read();
      await scheduler.wait(50);
      const pulled = await endless.pulled();
      same(pulled < 40, true, `back-pressure: ${pulled} chunks of 64 KiB`);
      await reader.cancel();
      endless[Symbol.dispose]();
    }
    await rejects(new Response(await C.broken()).text(), { name: "Error", message: "it broke" }, "a stream that breaks");
    {
      const c = await C.cancelled();
      const reader = c.stream.getReader();
      await reader.read();
      await reader.cancel("enough");
      await until(async () => (await c.reason()) === "cancelled", "cancellation reaches the source");
    }
    {
      const failing = new WritableStream({ write() { throw new Error("sink"); } });
      await rejects(C.write(failing, ..."abcdefgh".split("").map((c) => c.repeat(100000))), {}, "a sink that fails");
    }
    const large = new Uint8Array(5 << 20).fill(65);
    same((await C.readParts(new Response(large).body)).reduce((n, p) => n + p, 0), 5 << 20, "5 MiB");
  },
  async messages({ C }) {
    const response = await C.response();
    same([response.status, response.headers.getSetCookie(), await response.text()], [203, ["a=1", "b=2"], "a response"], "Response as a result");
    same(await C.requestText(new Request("http://q/", { method: "PUT", headers: { a: "b" }, body: "text" })), ["PUT", "http://q/", "b", "text"], "Request as an argument");
    const { readable, writable } = new IdentityTransformStream();
    const promise = C.requestText(new Request("http://q/", { method: "POST", body: readable, duplex: "half" }));
    const writer = writable.getWriter();
    await writer.write(new TextEncoder().encode("streamed"));
    await writer.close();
    same((await promise)[3], "streamed", "Request that streams");
    const forwarded = await C.echo(await C.fetch("http://z/"));
    same(await forwarded.text(), "GET http://z/", "a response that was fetched");
    const headers = await C.echo(new Headers({ a: "1" }));
    same([headers instanceof Headers, headers.get("a")], [true, "1"], "Headers");
  },
  async signals({ C }) {
    const controller = new AbortController();
    const promise = C.untilAborted(controller.signal);
    await scheduler.wait(5);
    controller.abort(new RangeError("stop"));
    same(await promise, ["RangeError", "stop", true], "abort");
    same(await C.untilAborted(AbortSignal.abort()), ["AbortError", "This operation was aborted", true], "aborted before");
    same(await C.untilAborted(AbortSignal.timeout(5)), ["TimeoutError", "The operation was aborted due to timeout", true], "timeout");
    const other = new AbortController();
    const waiting = C.fetchWith(other.signal);
    other.abort();
    same(await waiting, "AbortError", "what the signal stops");
    same(typeof (await C.echo(new AbortController().signal)).aborted, "boolean", "a signal that nobody aborts");
  },
  async leave({ C }) {
    leftover ??= { stub: await C.counter(1), service: C, promise: C.counter(2), result: await C.echo({ f: () => 1 }) };
    await leftover.promise;
  },
  async find({ C }) {
    if (leftover === undefined) return; // another instance: to be asked again
    const other = { name: "Error", message: "Cannot perform I/O on behalf of a different request. I/O objects (such as streams, request/response bodies, and others) created in the context of one request handler cannot be accessed from a different request's handler. This is a limitation of Cloudflare Workers which allows us to improve overall performance." };
    same(await leftover.service.echo(1), 1, "a binding is everybody's");
    await rejects(leftover.stub.increment(), other, "a stub of another event");
    await rejects(leftover.result.f(), other, "a function of another event");
    await rejects(leftover.promise.increment(1), other, "a promise of another event");
    await rejects(C.echo(leftover.stub), other, "a stub of another event, passed on");
  },
  async kept({ C }) {
    await C.keep(new Counter(1));
    for (let i = 0; i < 100; i++) {
      const message = await C.useKept().catch((e) => e.message);
      if (message === "nothing is kept") continue; // another instance
      same(message.slice(0, 28), "Cannot perform I/O on behalf", "kept by another event");
      return;
    }
  },
};

export default {
  async fetch(request, env) {
    failures = [];
    passed = 0;
    const name = new URL(request.url).pathname.slice(1);
    try {
      await tests[name]({ C: env.CALLEE, H: env.HANDLERS, P: env.PROPS, env });
    } catch (e) {
      failures.push(`${name} threw after ${passed} checks: ${e?.stack ?? e}: ${e}`);
    }
    return Response.json({ passed, failures });
  },
};
