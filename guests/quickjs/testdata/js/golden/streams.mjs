import { Duplex, PassThrough, Readable, Transform, Writable, addAbortSignal, compose, finished, pipeline } from "node:stream";
import { finished as finishedLater, pipeline as pipelineLater } from "node:stream/promises";
import { arrayBuffer, buffer, json, text } from "node:stream/consumers";
import { StringDecoder } from "node:string_decoder";

const log = (...args) => console.log(...args);
const upper = () => new Transform({ transform(chunk, encoding, callback) { callback(null, chunk.toString().toUpperCase()); } });

// Readable
const chunks = [];
for await (const chunk of Readable.from(["a", "b", "c"])) chunks.push(chunk);
log(chunks, await Readable.from([1, 2, 3, 4]).filter((x) => x % 2).map((x) => x * 2).toArray());
let n = 0;
const counting = new Readable({ read() { this.push(n < 3 ? `${n++}` : null); } });
log(await text(counting), counting.readableEnded, counting.destroyed);
log(await Readable.from([1, 2, 3]).reduce((a, b) => a + b), await Readable.from([1, 2, 3]).take(2).toArray(), await Readable.from([1, 2, 3]).some((x) => x > 2));
const paused = new Readable({ read() {} });
paused.push("xyz");
paused.push(null);
paused.once("readable", () => log("read", paused.read(2).toString(), paused.read(1).toString(), paused.read()));
await new Promise((resolve) => paused.on("end", resolve));
const encoded = new Readable({ encoding: "hex", read() {} });
encoded.push(Buffer.from("hi"));
encoded.push(null);
log(await encoded.toArray());

// Writable: back-pressure, order, finish
const written = [];
const slow = new Writable({ highWaterMark: 3, write(chunk, encoding, callback) { written.push(chunk.toString()); setTimeout(callback, 1); } });
log(slow.write("ab"), slow.write("cd"), slow.writableLength, slow.writableNeedDrain);
slow.on("drain", () => log("drain"));
slow.end("ef", () => log("end callback"));
await finishedLater(slow);
log(written, slow.writableFinished);
const corked = new Writable({ writev(items, callback) { log("writev", items.map((i) => i.chunk.toString())); callback(); } });
corked.cork();
corked.write("1");
corked.write("2");
corked.uncork();
try {
  corked.end();
  corked.write("late");
} catch (error) { log(error.code); }
corked.on("error", (error) => log("error", error.code));
await new Promise((resolve) => corked.on("close", resolve));

// pipeline
await pipelineLater(Readable.from(["a", "b"]), upper(), async function* (source) { for await (const chunk of source) yield `<${chunk}>`; }, async (source) => { for await (const chunk of source) log("piped", chunk); });
await new Promise((resolve) => pipeline(Readable.from(["x"]), new Transform({ transform(chunk, encoding, callback) { callback(new Error("no")); } }), new PassThrough(), (error) => { log("failed", error.message); resolve(); }));
const source = Readable.from(["q"]);
const target = new PassThrough();
source.pipe(target);
log(await text(target));
log((await pipelineLater(Readable.from(["x"]), new Writable({ write(c, e, cb) { cb(); }, destroy(e, cb) { cb(e); } })).then(() => "ok", (e) => e.code)));

// Errors and ends
const broken = new Readable({ read() { this.destroy(new RangeError("broken")); } });
log(await text(broken).catch((error) => `${error.name} ${error.message}`));
const early = new Readable({ read() {} });
finished(early, (error) => log("finished", error.code));
early.destroy();
await new Promise((resolve) => early.on("close", resolve));
const controller = new AbortController();
const abortable = addAbortSignal(controller.signal, new Readable({ read() {} }));
setTimeout(() => controller.abort(), 1);
log(await text(abortable).catch((error) => `${error.name} ${error.code}`));

// Duplex and conversions
const duplex = new Duplex({ read() { this.push("from"); this.push(null); }, write(chunk, encoding, callback) { log("to", chunk.toString()); callback(); } });
duplex.end("side");
log(await text(duplex));
log(await text(Readable.fromWeb(new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode("web")); c.close(); } }))));
log(await new Response(Readable.toWeb(Readable.from([Buffer.from("to"), Buffer.from("web")]))).text());
const sink = [];
const writer = Writable.toWeb(new Writable({ write(chunk, encoding, callback) { sink.push(chunk.toString()); callback(); } })).getWriter();
await writer.write("w1");
await writer.write("w2");
await writer.close();
log(sink);
const collected = [];
const fromWeb = Writable.fromWeb(new WritableStream({ write(chunk) { collected.push(Buffer.from(chunk).toString()); } }));
fromWeb.write("f1");
fromWeb.end("f2");
await finishedLater(fromWeb);
log(collected);
log(await json(Readable.from(['{"a"', ":1}"])), (await buffer(Readable.from(["é"]))).length, (await arrayBuffer(Readable.from(["abc"]))).byteLength);
log(await text(compose(Readable.from(["c"]), upper())));

// Objects, high-water marks
const objects = new PassThrough({ objectMode: true });
objects.write({ a: 1 });
objects.end(null === 0 ? 1 : undefined);
log(await objects.toArray(), new Readable().readableHighWaterMark > 0, new Readable({ objectMode: true }).readableHighWaterMark);
const decoder = new StringDecoder("utf8");
log(JSON.stringify([decoder.write(Buffer.from([0xe2, 0x82])), decoder.write(Buffer.from([0xac])), decoder.end(Buffer.from([0xe2]))]));
log(new StringDecoder("base64").write(Buffer.from("abcd")), new StringDecoder("utf16le").write(Buffer.from([0x61, 0, 0x62])));
process.stdout.write("stdout\n");
