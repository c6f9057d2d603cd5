// What caller.js calls, from another isolate.
import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

const encoder = new TextEncoder();
let kept;

class Counter extends RpcTarget {
  #n;
  #told;
  constructor(n, told) { super(); this.#n = n; this.#told = told?.dup(); }
  increment(by = 1) { return this.#n += by; }
  get value() { return this.#n; }
  [Symbol.dispose]() { return this.#told?.("counter"); }
}

class Other { foo() { return 1; } }

export const handlers = {
  one: (arg, env, ctx) => [arg, typeof env, typeof ctx.waitUntil],
  none() { return "none"; },
  four(a, b, env, ctx) { return a; },
  nested: { deep: (arg, env) => [arg, typeof env] },
  fetch: () => new Response("handlers"),
};

export class Props extends WorkerEntrypoint {
  get props() { return this.ctx.props; }
}

export default class Callee extends WorkerEntrypoint {
  constructor(ctx, env) {
    super(ctx, env);
    this.instanceMethod = () => "nope";
  }
  fetch(request) { return new Response(`${request.method} ${request.url}`, { headers: { x: "y" } }); }
  echo(...args) { return args.length === 1 ? args[0] : args; }
  noResult() {}
  async later(value, ms = 1) { await scheduler.wait(ms); return value; }
  get text() { return "text"; }
  get promised() { return scheduler.wait(1).then(() => 123); }
  get throwing() { throw new Error("PROPERTY"); }
  get functional() { return (a, b) => a - b; }
  get nested() { return { f: (a, b) => a * b, deeper: { g: (a) => -a }, counter: new Counter(5), other: new Other(), text: "hello" }; }
  throws() { throw new RangeError("METHOD"); }
  throwsMine() {
    const e = new TypeError("mine");
    e.name = "MineError";
    e.code = "E_MINE";
    throw e;
  }
  throwsText() { throw "just text"; }
  other() { return { other: new Other() }; }
  counter(n, told) { return new Counter(n, told); }
  object(n, told) {
    told = told?.dup();
    return { foo: 100 + n, counter: new Counter(n, told), [Symbol.dispose]() { return told?.("object"); } };
  }
  f() { const f = (a, b) => a ^ b; f.property = 7; return f; }
  async call(f, ...args) { return await f(...args); }
  async member(o, name, ...args) { return await o[name](...args); }
  async useTwice(counter) { return [await counter.increment(1), await counter.increment(1)]; }
  async testDispose(counter) {
    const copy = counter.dup();
    return {
      counter,
      original: async (n) => await counter.increment(n),
      copy: async (n) => await copy.increment(n),
      [Symbol.dispose]() { copy[Symbol.dispose](); },
    };
  }
  keep(stub) { kept = stub.dup(); }
  async useKept() {
    if (kept === undefined) throw new Error("nothing is kept");
    return await kept.increment(1);
  }
  get(a) { return `get ${a}`; }
  put(a, b) { return `put ${a} ${b}`; }

  // ---- streams
  async read(stream) { return await new Response(stream).text(); }
  async readParts(stream) {
    const parts = [];
    for await (const chunk of stream) parts.push(chunk.length);
    return parts;
  }
  async write(stream, ...texts) {
    const writer = stream.getWriter();
    for (const text of texts) await writer.write(encoder.encode(text));
    await writer.close();
  }
  stream(...texts) {
    const { readable, writable } = new IdentityTransformStream();
    this.ctx.waitUntil(this.write(writable, ...texts));
    return readable;
  }
  streams() { return [this.stream("a"), { b: this.stream("b1", "b2") }]; }
  endless() {
    let n = 0;
    const stream = new ReadableStream({ type: "bytes", pull(c) { n++; c.enqueue(new Uint8Array(65536)); } }, { highWaterMark: 0 });
    return { stream, pulled: () => n };
  }
  broken() {
    return new ReadableStream({ pull(c) { c.error(new Error("it broke")); } });
  }
  cancelled() {
    let reason = "not yet";
    const stream = new ReadableStream({ pull(c) { c.enqueue(encoder.encode("x".repeat(100000))); }, cancel(r) { reason = "cancelled"; } });
    return { stream, reason: () => reason };
  }
  response() { return new Response("a response", { status: 203, headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]] }); }
  async fetchIt(service, url) { return await (await service.fetch(url)).text(); }
  async requestText(request) { return [request.method, request.url, request.headers.get("a"), await request.text()]; }

  // ---- signals
  async untilAborted(signal) {
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return [signal.reason.name, signal.reason.message, signal.aborted];
  }
  async fetchWith(signal) {
    try {
      await scheduler.wait(20000, { signal });
      return "waited";
    } catch (e) {
      return e.name;
    }
  }
}
