import { AsyncLocalStorage, AsyncResource, executionAsyncId } from "node:async_hooks";
import { EventEmitter, once } from "node:events";
import { promisify } from "node:util";
import { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import fs from "node:fs/promises";

const als = new AsyncLocalStorage();
const other = new AsyncLocalStorage();
const log = (label) => console.log(label, als.getStore(), other.getStore());

log("outside");
console.log(als.run(1, () => other.run("x", () => { log("nested"); return "returned"; })));
log("after");

await als.run({ id: 1 }, async () => {
  log("sync");
  await null;
  log("await");
  await wait(1);
  log("timer promise");
  await Promise.all([1, 2].map((n) => als.run(n, async () => { await wait(3 - n); log(`inner ${n}`); })));
  log("all");
  await Promise.resolve().then(() => log("then")).finally(() => log("finally"));
  await new Promise((resolve) => setTimeout(() => { log("setTimeout"); resolve(); }, 1));
  await new Promise((resolve) => setImmediate(() => { log("setImmediate"); resolve(); }));
  await new Promise((resolve) => queueMicrotask(() => { log("queueMicrotask"); resolve(); }));
  await new Promise((resolve) => process.nextTick(() => { log("nextTick"); resolve(); }));
  await promisify((callback) => setTimeout(callback, 1))();
  log("promisified");
  for await (const x of (async function* () { yield 1; await null; log("in generator"); yield 2; })()) log(`for await ${x}`);
  for await (const x of Readable.from(["r"])) log(`stream ${x}`);
  await { then(resolve) { log("thenable"); resolve(); } };
  await fs.readdir("/").then(() => log("fs"));
  try {
    await Promise.reject(new Error("e"));
  } catch {
    log("catch");
  }
  await import("node:path");
  log("import");
});
log("outside again");

// A promise made outside and settled inside, and the other way round
let resolve;
const outer = new Promise((r) => { resolve = r; });
const reaction = als.run("reaction", () => outer.then(() => log("registered inside")));
outer.then(() => log("registered outside"));
als.run("settler", () => resolve());
await reaction;

// An interval, and repeated callbacks
await als.run("interval", () => new Promise((done) => {
  let n = 0;
  const id = setInterval(() => { log(`interval ${++n}`); if (n === 2) { clearInterval(id); done(); } }, 1);
}));

// enterWith follows what comes after it
await (async () => {
  als.enterWith("entered");
  log("entered");
  await null;
  log("entered, later");
})();

als.run("a", () => als.exit(() => log("exit")));
try {
  als.run("thrown", () => { throw new Error("x"); });
} catch { log("thrown"); }

const bound = als.run("bound", () => AsyncLocalStorage.bind((x) => { log(`bind ${x}`); return x; }));
console.log(als.run("caller", () => bound(5)), bound.length);
const snapshot = als.run("snapshot", () => AsyncLocalStorage.snapshot());
snapshot(() => log("snapshot"));
class Job extends AsyncResource {
  constructor() { super("JOB"); }
  go() { return this.runInAsyncScope(() => { log("resource"); return executionAsyncId() === this.asyncId(); }); }
}
const job = als.run("job", () => new Job());
console.log(job.go(), job.asyncId() > 0, typeof job.triggerAsyncId());

const emitter = new EventEmitter();
als.run("listener", () => emitter.on("x", () => log("event")));
als.run("emitter", () => emitter.emit("x"));
als.run("once", async () => { await once(emitter, "y"); log("once"); });
emitter.emit("y");
await wait(1);
const deep = async (n) => (n === 0 ? als.getStore() : (await null, deep(n - 1)));
console.log(await als.run("deep", () => deep(50)));
