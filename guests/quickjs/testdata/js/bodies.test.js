// Blob, File, FormData, streams and fetch.
import { anInterface, check, done, rejects, same, sleep, throws } from "./check.js";

anInterface(Blob, "Blob", { attributes: ["size", "type"], methods: { slice: 0, stream: 0, text: 0, arrayBuffer: 0, bytes: 0 } });
anInterface(File, "File", { length: 2, parent: Blob, attributes: ["name", "lastModified"] });
anInterface(FormData, "FormData", { methods: { append: 2, delete: 1, get: 1, getAll: 1, has: 1, set: 2, entries: 0, keys: 0, values: 0, forEach: 1 } });
for (const name of [
  "ReadableStream", "ReadableStreamDefaultReader", "ReadableStreamBYOBReader", "ReadableStreamDefaultController", "ReadableByteStreamController",
  "ReadableStreamBYOBRequest", "WritableStream", "WritableStreamDefaultWriter", "WritableStreamDefaultController", "TransformStream",
  "TransformStreamDefaultController", "ByteLengthQueuingStrategy", "CountQueuingStrategy", "TextEncoderStream", "TextDecoderStream",
]) {
  same(typeof globalThis[name], "function", name);
  same(globalThis[name].name, name);
  same(Object.prototype.toString.call(globalThis[name].prototype), `[object ${name}]`);
}

// Blobs.
const utf8 = (text) => new TextEncoder().encode(text);
const blob = new Blob(["ab", utf8("cd"), utf8("ef").buffer, new DataView(utf8("xghx").buffer, 1, 2), new Blob(["ij"]), 5, { toString: () => "obj" }], { type: "Text/Plain" });
same([await blob.text(), blob.size, blob.type], ["abcdefghij5obj", 14, "text/plain"]);
same([await blob.slice(1, 3).text(), await blob.slice(-3).text(), await blob.slice(2, -8, "a/b").text(), blob.slice(2, -8, "A/b").type], ["bc", "obj", "cdef", "a/b"]);
same([blob.slice(5, 2).size, blob.slice(NaN, Infinity).size, blob.slice(100).size, blob.slice(0, 1).type], [0, 14, 0, ""]);
same([new Blob().size, new Blob([], { type: "a\u00e9" }).type, new Blob(["\ud800"]).size], [0, "", 3]);
same(await new Blob(["a\r\nb\rc\n"], { endings: "native" }).text(), "a\nb\nc\n");
same(new Uint8Array(await blob.arrayBuffer()).length, 14);
const exposed = await blob.bytes();
exposed[0] = 0;
same((await blob.text())[0], "a");
throws(() => new Blob("text"), { name: "TypeError" });
throws(() => new Blob([], 1), { name: "TypeError" });
throws(() => new Blob([], { endings: "x" }), { name: "TypeError" });
await rejects(Blob.prototype.text.call({}), { name: "TypeError" });
const chunks = [];
for await (const chunk of blob.stream()) chunks.push(chunk);
same([chunks.length, chunks[0].length], [1, 14]);
chunks[0][0] = 0;
same((await blob.text())[0], "a");
const file = new File(["x"], "n.txt", { type: "a/b", lastModified: 7 });
same([file.name, file.lastModified, file.type, file.size, file instanceof Blob, file.slice(0, 1) instanceof File], ["n.txt", 7, "a/b", 1, true, false]);
check(Math.abs(new File([], "x").lastModified - Date.now()) < 1000);
throws(() => new File([]), { name: "TypeError" });

// Streams.
same(await Array.fromAsync(ReadableStream.from(["a", "b"])), ["a", "b"]);
let pulls = 0;
const lazy = new ReadableStream({ pull(c) { pulls++; if (pulls < 4) c.enqueue(pulls); else c.close(); } }, { highWaterMark: 0 });
await sleep(1);
same(pulls, 0);
same(await Array.fromAsync(lazy), [1, 2, 3]);
const upper = new TransformStream({ transform(chunk, c) { c.enqueue(chunk.toUpperCase()); }, flush(c) { c.enqueue("!"); } });
same(await Array.fromAsync(ReadableStream.from(["x", "y"]).pipeThrough(upper)), ["X", "Y", "!"]);
const written = [];
await ReadableStream.from([1, 2, 3]).pipeTo(new WritableStream({ write(chunk) { written.push(chunk); }, close() { written.push("closed"); } }));
same(written, [1, 2, 3, "closed"]);
const [left, right] = ReadableStream.from([1, 2]).tee();
same([await Array.fromAsync(left), await Array.fromAsync(right)], [[1, 2], [1, 2]]);
const reader = new ReadableStream({ type: "bytes", pull(c) { c.enqueue(utf8("hello")); c.close(); } }).getReader({ mode: "byob" });
const { value } = await reader.read(new Uint8Array(3));
same(new TextDecoder().decode(value), "hel");
same((await reader.read(new Uint8Array(9))).value.length, 2);
same((await reader.read(new Uint8Array(9))).done, true);
let canceled;
const cancelable = new ReadableStream({ cancel(reason) { canceled = reason; } });
await cancelable.cancel("why");
same(canceled, "why");
const failing = new ReadableStream({ pull() { throw new Error("pull"); } });
await rejects(failing.getReader().read(), { message: "pull" });
for await (const chunk of new ReadableStream({ start(c) { c.enqueue(1); }, cancel() { canceled = "broke"; } })) if (chunk === 1) break;
same(canceled, "broke");
same(await Array.fromAsync(ReadableStream.from(["h\u00e9", "\ud83d", "\ude00"]).pipeThrough(new TextEncoderStream()).pipeThrough(new TextDecoderStream())), ["h\u00e9", "\ud83d\ude00"]);
same([new CountQueuingStrategy({ highWaterMark: 3 }).highWaterMark, new ByteLengthQueuingStrategy({ highWaterMark: 3 }).size({ byteLength: 9 })], [3, 9]);

// Forms.
const form = new FormData();
form.append("a", 1);
form.append("a", "2");
form.append("f", new Blob(["data"], { type: "x/y" }));
form.set("b", new File(["z"], "old"), "new");
same([form.get("a"), form.getAll("a"), form.get("zz"), form.has("f"), form.get("f").name, form.get("f") instanceof File, form.get("b").name], ["1", ["1", "2"], null, true, "blob", true, "new"]);
form.set("a", "only");
form.delete("b");
same([...form].map(([k, v]) => [k, typeof v]), [["a", "string"], ["f", "object"]]);
same([[...form.keys()], [...form.values()].length, Object.prototype.toString.call(form.entries())], [["a", "f"], 2, "[object FormData Iterator]"]);
const pairs = [];
form.forEach(function (v, k, all) { pairs.push(k, all === form, this.t); }, { t: 1 });
same(pairs, ["a", true, 1, "f", true, 1]);
throws(() => form.append("x", "y", "name"), { name: "TypeError" });
throws(() => new FormData({}), { name: "TypeError" });
const tricky = new FormData();
tricky.append('na"me\r\n', "line\nbreak");
tricky.append("h\u00e9", new File([new Uint8Array([0, 255, 13, 10])], 'f"\u00e9.bin'));
tricky.append("empty", "");
const encoded = new Response(tricky);
check(/^multipart\/form-data; boundary=/.test(encoded.headers.get("content-type")));
const back = await encoded.formData();
same([...back.keys()], ['na"me\r\n', "h\u00e9", "empty"]);
same([back.get('na"me\r\n'), back.get("h\u00e9").name, back.get("h\u00e9").type, back.get("empty")], ["line\r\nbreak", 'f"\u00e9.bin', "application/octet-stream", ""]);
same(await back.get("h\u00e9").bytes(), new Uint8Array([0, 255, 13, 10]));
same([...await new Response("a=1&b=%20+", { headers: { "content-type": "application/x-www-form-urlencoded" } }).formData()], [["a", "1"], ["b", "  "]]);
const multipart = (body, boundary = "B") => new Response(body, { headers: { "content-type": `multipart/form-data; boundary="${boundary}"` } }).formData();
same([...await multipart('--B\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--B--')], [["a", "1"]]);
same([...await multipart("--B--\r\n")], []);
for (const bad of ["", "--C\r\n", "--B", "--B\r\n", "--B\r\n\r\nx\r\n--B--", '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nx', "--B\r\nno colon\r\n\r\n--B--",
  '--B\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n--B--', '--B\r\nContent-Disposition: form-data; name="a\r\n\r\nx\r\n--B--']) {
  await rejects(multipart(bad), { name: "TypeError" }, bad);
}
await rejects(new Response("x").formData(), { name: "TypeError" });
await rejects(new Response("x", { headers: { "content-type": "multipart/form-data" } }).formData(), { name: "TypeError" });

// Bodies.
same(await new Response(new Blob(["blob"], { type: "a/b" })).text(), "blob");
same(new Response(new Blob([], { type: "a/b" })).headers.get("content-type"), "a/b");
same(await (await new Response("made", { headers: { "content-type": "text/x" } }).blob()).text(), "made");
same((await new Response("made", { headers: { "content-type": "text/x" } }).blob()).type, "text/x");
same(await new Response(ReadableStream.from([utf8("s1"), utf8("s2")])).text(), "s1s2");
await rejects(new Response(ReadableStream.from(["text"])).text(), { name: "TypeError" });
const used = new Response("u");
await used.text();
await rejects(used.text(), { name: "TypeError" });
const copied = new Response("both");
const clone = copied.clone();
same([await copied.text(), await clone.text()], ["both", "both"]);
const streamed = new Response("stream me");
same([streamed.body instanceof ReadableStream, streamed.body === streamed.body, new Response(null).body], [true, true, null]);
same(new TextDecoder().decode((await streamed.body.getReader().read()).value), "stream me");
same(streamed.bodyUsed, true);

// fetch.
same([fetch.length, fetch.name], [1, "fetch"]);
const echo = async (init, url = "http://host/echo") => (await fetch(url, init)).json();
same(await echo(), { body: "", headers: {}, kind: 0, method: "GET", url: "http://host/echo" });
const posted = await echo({ method: "post", body: "text", headers: { "X-One": "1" } });
same([posted.method, posted.body, posted.headers["x-one"], posted.headers["content-type"], posted.kind], ["POST", "text", "1", "text/plain;charset=UTF-8", 1]);
same((await echo(undefined, new Request("http://host/echo", { method: "PUT", body: new Uint8Array([65]) }))).body, "A");
same((await echo(undefined, new URL("http://host/a/echo"))).url, "http://host/a/echo");
same((await echo({ method: "POST", body: new URLSearchParams({ q: "1 2" }) })).body, "q=1+2");
check((await echo({ method: "POST", body: form })).headers["content-type"].startsWith("multipart/form-data"));
const response = await fetch("http://host/echo");
same([response.status, response.statusText, response.ok, response.url, response.redirected, response.type === "error"], [200, "Some Text", true, "http://host/echo", false, false]);
same(response.headers.getSetCookie(), ["a=1", "b=2"]);
same([(await fetch("http://host/null")).body, (await fetch("http://host/null")).status], [null, 204]);
same(await (await fetch("http://host/stream")).text(), "chunk 1;chunk 2;chunk 3;");
const parts = [];
for await (const chunk of (await fetch("http://host/stream")).body) parts.push(new TextDecoder().decode(chunk));
same(parts, ["chunk 1;", "chunk 2;", "chunk 3;"]);
const twice = await fetch("http://host/stream");
const second = twice.clone();
same([await twice.text(), await second.text()], ["chunk 1;chunk 2;chunk 3;", "chunk 1;chunk 2;chunk 3;"]);
const byob = (await fetch("http://host/stream")).body.getReader({ mode: "byob" });
same(new TextDecoder().decode((await byob.read(new Uint8Array(4))).value), "chun");
await byob.cancel();
const endless = (await fetch("http://host/endless")).body.getReader();
same((await endless.read()).value.length, 1000);
await endless.cancel("enough");
const hostLog = async () => (await fetch("http://host/log")).json();
check((await hostLog()).includes("body_cancel"));
await rejects((await fetch("http://host/broken")).text(), { name: "TypeError", message: "no such body" });
await rejects((await fetch("http://host/broken")).body.getReader().read(), { name: "TypeError", message: "no such body" });

let sent = 0;
const upload = new ReadableStream({ pull(c) { if (sent++ < 3) c.enqueue(utf8(`part ${sent};`)); else c.close(); } }, { highWaterMark: 0 });
const uploaded = await echo({ method: "POST", body: upload, duplex: "half" });
same([uploaded.body, uploaded.kind], ["part 1;part 2;part 3;", 2]);
throws(() => new Request("http://host/", { method: "POST", body: new ReadableStream() }), { name: "TypeError" });
await rejects(echo({ method: "POST", duplex: "half", body: new ReadableStream({ pull() { throw new Error("source"); } }) }), { message: "source" });
await rejects(echo({ method: "POST", duplex: "half", body: ReadableStream.from(["text"]) }), { name: "TypeError" });
const partial = new ReadableStream({ async pull(c) { await sleep(2); if (sent++ > 5) throw new Error("midway"); c.enqueue(utf8("some")); } });
await rejects(echo({ method: "POST", duplex: "half", body: partial }), { message: "midway" });
check((await hostLog()).includes("upload ends with 2"));

await rejects(fetch(), { name: "TypeError" });
await rejects(fetch("nonsense"), { name: "TypeError" });
await rejects(fetch("http://host/fail"), { name: "TypeError", message: "connection refused", code: "EFAIL" });
await rejects(fetch("http://host/redirect", { redirect: "error" }), { name: "TypeError" });
same((await fetch("http://host/redirect", { redirect: "manual" })).status, 302);
const landed = await fetch("http://host/redirect");
same([landed.redirected, landed.url, await landed.text()], [true, "http://host/to", "landed"]);

const controller = new AbortController();
setTimeout(() => controller.abort(), 2);
await rejects(fetch("http://host/slow", { signal: controller.signal }), { name: "AbortError" });
await rejects(fetch("http://host/echo", { signal: controller.signal }), { name: "AbortError" });
await rejects(fetch("http://host/slow", { signal: AbortSignal.timeout(2) }), { name: "TimeoutError" });
await rejects(fetch(new Request("http://host/slow", { signal: AbortSignal.timeout(2) })), { name: "TimeoutError" });
const during = new AbortController();
const cut = (await fetch("http://host/endless", { signal: during.signal })).body.getReader();
await cut.read();
during.abort(new RangeError("cut"));
await rejects(cut.read(), { name: "RangeError", message: "cut" });
const whole = new AbortController();
const text = (await fetch("http://host/endless", { signal: whole.signal })).text();
setTimeout(() => whole.abort("whole"), 1);
same(await text.catch((reason) => reason), "whole");
let gaveUp;
const uploading = new AbortController();
const source = new ReadableStream({ pull: () => sleep(1000), cancel(reason) { gaveUp = reason; } });
setTimeout(() => uploading.abort("stop"), 1);
same(await echo({ method: "POST", duplex: "half", body: source, signal: uploading.signal }).catch((reason) => reason), "stop");
await sleep(1);
same(gaveUp, "stop");

done();
