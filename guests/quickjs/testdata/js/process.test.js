// process, Buffer, and the modules of node: whose answers depend on the run.
import process, { argv, cwd } from "node:process";
import { Buffer } from "node:buffer";
import EventEmitter, { on, once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import util from "node:util";
import os from "node:os";
import { fileURLToPath, pathToFileURL } from "node:url";
import { check, done, rejects, same, sleep, throws } from "./check.js";

same(process === globalThis.process, true);
same([process.argv.slice(2), argv === process.argv], [["one", "two"], true]);
same(process.argv[1], "/home/process.test.js");
same([process.env.KEY, process.env.HOME, process.env.missing, "KEY" in process.env, Object.keys(process.env)], ["value", "/home/me", undefined, true, ["KEY", "HOME"]]);
process.env.NUMBER = 5;
same([process.env.NUMBER, delete process.env.NUMBER, process.env.NUMBER], ["5", true, undefined]);
same([process.cwd(), cwd(), process.platform, typeof process.pid, process.versions.node], ["/home", "/home", "linux", "number", undefined]);
check(/^v\d+\.\d+\.\d+$/.test(process.version));
process.chdir("/tmp");
same(process.cwd(), "/tmp");
throws(() => process.chdir("/nowhere"), { code: "ENOENT", syscall: "chdir" });
process.chdir("/home");
const [seconds, nanoseconds] = process.hrtime();
check(Number.isInteger(seconds) && Number.isInteger(nanoseconds));
same([process.hrtime([seconds, nanoseconds]).length, typeof process.hrtime.bigint(), typeof process.uptime()], [2, "bigint", "number"]);
check(process.memoryUsage().heapUsed > 0);
const ticks = [];
process.nextTick((a) => ticks.push(a), 1);
await null;
same(ticks, [1]);
throws(() => process.nextTick(5), { code: "ERR_INVALID_ARG_TYPE" });
throws(() => { process.exitCode = "x"; }, { code: "ERR_INVALID_ARG_TYPE" });
let heard;
process.once("custom", (v) => { heard = v; });
process.emit("custom", 7);
same(heard, 7);

// Input and output.
same(await Array.fromAsync(process.stdin), [Buffer.from("line one\nline two\n")]);
same([process.stdout.write(""), process.stdout.isTTY, process.stderr.fd], [true, false, 2]);
throws(() => process.stdout.write(5), { code: "ERR_INVALID_ARG_TYPE" });

// Taking over errors.
const taken = [];
process.once("uncaughtException", (error, origin) => taken.push(error.message, origin));
setTimeout(() => { throw new Error("late"); }, 1);
await sleep(3);
process.once("unhandledRejection", (reason) => taken.push(reason));
Promise.reject("lost");
await sleep(1);
same(taken, ["late", "uncaughtException", "lost"]);

// Events.
const emitter = new EventEmitter();
setTimeout(() => emitter.emit("x", 1, 2), 1);
same(await once(emitter, "x"), [1, 2]);
const stop = new AbortController();
await rejects(() => { setTimeout(() => stop.abort(), 1); return once(emitter, "y", { signal: stop.signal }); }, { name: "AbortError", code: "ABORT_ERR" });
same(emitter.listenerCount("y"), 0);
const got = [];
setTimeout(() => { emitter.emit("n", 1); emitter.emit("n", 2); emitter.emit("n", 3); }, 1);
for await (const [n] of on(emitter, "n")) { got.push(n); if (n === 3) break; }
same([got, emitter.listenerCount("n")], [[1, 2, 3], 0]);
throws(() => emitter.emit("error", new RangeError("unheard")), { name: "RangeError" });
const monitored = [];
emitter.on(EventEmitter.errorMonitor, (e) => monitored.push(e.message));
emitter.on("error", () => monitored.push("handled"));
emitter.emit("error", new Error("seen"));
same(monitored, ["seen", "handled"]);
same(await wait(1, "v"), "v");
await rejects(wait(1000, 0, { signal: AbortSignal.abort() }), { name: "AbortError" });

// Buffers.
same(Buffer.from("h\u00e9").toString("hex"), "68c3a9");
const round = { utf8: "h\u00e9\ud83d\ude00", latin1: "h\u00e9", hex: "00ff10", base64: "+/8=", base64url: "-_8", utf16le: "h\u00e9\ud83d\ude00", ascii: "hi" };
for (const encoding of Object.keys(round)) same(Buffer.from(round[encoding], encoding).toString(encoding), round[encoding], encoding);
same(Buffer.from("-_8", "base64"), Buffer.from([251, 255]));
same([Buffer.byteLength("h\u00e9"), Buffer.byteLength("aGk=", "base64"), Buffer.byteLength("aGk", "base64url"), Buffer.byteLength("zz", "utf16le")], [3, 2, 2, 4]);
same([Buffer.isEncoding("BASE64URL"), Buffer.isEncoding("x"), Buffer.isBuffer(Buffer.alloc(1)), Buffer.isBuffer(new Uint8Array(1))], [true, false, true, false]);
throws(() => Buffer.from("x", "nope"), { code: "ERR_UNKNOWN_ENCODING", name: "TypeError" });
throws(() => Buffer.alloc(1).toString("nope"), { code: "ERR_UNKNOWN_ENCODING" });
same(Buffer.concat([Buffer.from("a"), Buffer.alloc(2, "b")]).toString(), "abb");
same([Buffer.from("abc").equals(Buffer.from("abc")), Buffer.compare(Buffer.from("a"), Buffer.from("b")), Buffer.from("hello").indexOf("l"), Buffer.from("hello").includes("ell")], [true, -1, 2, true]);
const numbers = Buffer.alloc(16);
numbers.writeUInt32BE(0xdeadbeef, 0);
numbers.writeDoubleLE(1.5, 4);
same([numbers.readUInt32BE(0), numbers.readDoubleLE(4), numbers.readInt8(0), numbers.readUInt16LE(0)], [0xdeadbeef, 1.5, -34, 0xadde]);
same([Buffer.from("hello").subarray(1, 3).toString(), Buffer.from("hello").slice(-3, -1).toString(), Buffer.from("abc").write("z", 1), JSON.stringify(Buffer.from("a"))],
  ["el", "ll", 1, '{"type":"Buffer","data":[97]}']);
same(util.inspect(Buffer.from("hi")), "<Buffer 68 69>");
check(util.inspect(Buffer.alloc(60)).endsWith("... 10 more bytes>"));
same([Buffer.from("toString").toString("utf8", 2, 4), Buffer.from([1, 2, 3]).toString("hex", 1)], ["St", "0203"]);
same(Buffer.from(new Uint8Array([1, 2]).buffer).length, 2);
same(new TextDecoder().decode(Buffer.from("bytes")), "bytes");

// util, os, url.
same(await util.promisify((a, callback) => callback(null, a + 1))(1), 2);
await rejects(util.promisify((callback) => callback(new Error("failed")))(), { message: "failed" });
const back = await new Promise((resolve) => util.callbackify(async (a) => a * 2)(4, (error, v) => resolve([error, v])));
same(back, [null, 8]);
function Old() {}
util.inherits(Old, EventEmitter);
same([new Old() instanceof EventEmitter, Old.super_ === EventEmitter], [true, true]);
for (const [a, b, equal] of [
  [1, 1, true], [NaN, NaN, true], [0, -0, false], [1, "1", false], [{ a: [1] }, { a: [1] }, true], [{ a: 1 }, { a: 1, b: 1 }, false], [[1, 2], [1, 3], false],
  [new Map([[{ k: 1 }, 1]]), new Map([[{ k: 1 }, 1]]), true], [new Set([1, { a: 1 }]), new Set([{ a: 1 }, 1]), true], [new Set([1]), new Set([2]), false],
  [new Date(1), new Date(1), true], [new Date(1), new Date(2), false], [/a/g, /a/g, true], [/a/g, /a/i, false], [new Uint8Array([1]), new Uint8Array([1]), true],
  [new Uint8Array([1]), new Int8Array([1]), false], [new Error("a"), new Error("a"), true], [new Error("a"), new TypeError("a"), false], [Object(1), Object(1), true],
  [{ [Symbol.iterator]: 1 }, {}, false], [[, 1], [undefined, 1], false], [Object.create(null), {}, false],
]) same(util.isDeepStrictEqual(a, b), equal, util.inspect([a, b]));
const loop = { l: null };
loop.l = loop;
const loop2 = { l: null };
loop2.l = loop2;
same(util.isDeepStrictEqual(loop, loop2), true);
const { types } = util;
same([types.isProxy(new Proxy({}, {})), types.isMap(new Map()), types.isMap({ __proto__: Map.prototype }), types.isPromise(Promise.resolve()), types.isAsyncFunction(async () => {}),
  types.isGeneratorFunction(function* () {}), types.isNativeError(new TypeError()), types.isBoxedPrimitive(Object(1n)), types.isUint8Array(Buffer.alloc(1))],
[true, true, false, true, true, true, true, true, true]);
same(util.format("%s:%d", "a", 1, { b: 2 }), "a:1 { b: 2 }");
same([os.EOL, os.platform(), os.homedir(), os.tmpdir()], ["\n", "linux", "/home/me", "/tmp"]);
same([fileURLToPath("file:///a%20b/c"), pathToFileURL("/a b#?%/c").href, fileURLToPath(new URL("file:///x"))], ["/a b/c", "file:///a%20b%23%3F%25/c", "/x"]);
throws(() => fileURLToPath("http://x/"), { code: "ERR_INVALID_URL_SCHEME" });
throws(() => fileURLToPath("file:///a%2fb"), { code: "ERR_INVALID_FILE_URL_PATH" });
await rejects(import("node:sqlite"), { name: "TypeError", message: "No such built-in module: node:sqlite" });

done();
