// Request, Response and their bodies, after https://fetch.spec.whatwg.org
import { anInterface, check, done, rejects, same, throws } from "./check.js";

const typeError = { name: "TypeError" };
const reading = { arrayBuffer: 0, blob: 0, bytes: 0, formData: 0, json: 0, text: 0, clone: 0 };
anInterface(Response, "Response", { attributes: ["type", "url", "redirected", "status", "ok", "statusText", "headers", "body", "bodyUsed"], methods: reading, statics: { error: 0, redirect: 1, json: 1 } });
anInterface(Request, "Request", {
  length: 1, methods: reading,
  attributes: ["method", "url", "headers", "destination", "referrer", "referrerPolicy", "mode", "credentials", "cache", "redirect", "integrity", "keepalive", "isReloadNavigation", "isHistoryNavigation", "signal", "duplex", "body", "bodyUsed"],
});
const utf8 = (s) => new TextEncoder().encode(s);
const stream = (...chunks) => new ReadableStream({ start(c) { for (const chunk of chunks) c.enqueue(chunk); c.close(); } });
const u = "https://example.com/";

// Response: initial values.
const plain = new Response();
same([plain.type, plain.url, plain.redirected, plain.status, plain.ok, plain.statusText, plain.body, plain.bodyUsed, [...plain.headers]], ["default", "", false, 200, true, "", null, false, []]);
check(plain.headers === plain.headers && plain.headers instanceof Headers);
const full = new Response(null, { status: 404, statusText: "Not here\t\u00ff", headers: { a: "b" } });
same([full.status, full.ok, full.statusText, full.headers.get("a")], [404, false, "Not here\t\u00ff", "b"]);
for (const status of [0, 100, 199, 600, 1000, -1, NaN]) throws(() => new Response("", { status }), { name: "RangeError" }, `status ${status}`);
same(new Response(null, { status: 65736 }).status, 200);
for (const statusText of ["\n", "\0", "\x7f", "\u0100"]) throws(() => new Response("", { statusText }), typeError);
for (const status of [204, 205, 304]) {
  throws(() => new Response("", { status }), typeError);
  same(new Response(null, { status }).status, status);
}
throws(() => new Response("", { headers: null }), typeError);
throws(() => new Response("", 5), typeError);
new Response("", null);
class Sub extends Response { }
check(new Sub("x") instanceof Sub && new Sub("x").clone() instanceof Response);
const order = [];
const logged = (name, value) => ({ get() { order.push(name); return value; }, enumerable: true });
new Response({ toString() { order.push("body"); return "x"; } }, Object.defineProperties({}, { statusText: logged("statusText", "t"), status: logged("status", 201), headers: logged("headers", {}) }));
same(order, ["body", "headers", "status", "statusText"]);

// Kinds of bodies.
const buffer = utf8("buf").buffer;
for (const [body, text, type] of [
  ["text", "text", "text/plain;charset=UTF-8"], ["", "", "text/plain;charset=UTF-8"], [5, "5", "text/plain;charset=UTF-8"], [{}, "[object Object]", "text/plain;charset=UTF-8"], ["\ud800", "\ufffd", "text/plain;charset=UTF-8"],
  [buffer, "buf", null], [new Uint8Array(buffer, 1), "uf", null], [new DataView(buffer, 0, 2), "bu", null], [new URLSearchParams({ a: "b c" }), "a=b+c", "application/x-www-form-urlencoded;charset=UTF-8"],
  [new Blob(["blob"], { type: "a/b" }), "blob", "a/b"], [new Blob(["blob"]), "blob", null], [stream(utf8("st"), utf8("ream")), "stream", null], [null, "", null], [undefined, "", null],
]) {
  const r = new Response(body);
  same(r.headers.get("content-type"), type);
  same(r.bodyUsed, false);
  same(await r.text(), text);
  same(r.bodyUsed, body !== null && body !== undefined);
}
const form = new FormData();
form.append("k", "v");
const formed = new Response(form);
check(/^multipart\/form-data; ?boundary=/.test(formed.headers.get("content-type")));
same((await formed.formData()).get("k"), "v");
same((await new Response(new URLSearchParams("x=1")).formData()).get("x"), "1");
await rejects(new Response("x").formData(), typeError);
same(new Response("x", { headers: { "Content-Type": "own/type" } }).headers.get("content-type"), "own/type");
throws(() => new Response(Symbol()), typeError);
const copied = utf8("abc");
const held = new Response(copied);
copied[0] = 0x7a;
same(await held.text(), "abc", "the bytes of a buffer are copied");

// Reading.
const r = () => new Response("\ufeff{\"a\": [1]}");
same(await r().text(), '{"a": [1]}');
same(await r().json(), { a: [1] });
same((await r().bytes()).length, 13);
same((await r().arrayBuffer()).byteLength, 13);
check((await r().bytes()) instanceof Uint8Array && (await r().arrayBuffer()) instanceof ArrayBuffer);
same(await new Response(utf8('{"b":"\u00e9"}')).json(), { b: "\u00e9" });
same(await new Response(new Uint8Array([0xef, 0xbb, 0xbf, 0x61, 0xff])).text(), "a\ufffd");
await rejects(new Response("{").json(), { name: "SyntaxError" });
await rejects(new Response().json(), { name: "SyntaxError" });
same([(await new Response().arrayBuffer()).byteLength, (await new Response().blob()).size, plain.bodyUsed], [0, 0, false]);
const blob = await new Response("x", { headers: { "content-type": "Text/HTML; Charset=\"a b\"; x" } }).blob();
same([blob.size, blob.type.toLowerCase()], [1, 'text/html;charset="a b"']);
same((await new Response("x", { headers: [["content-type", "text/plain;charset=gbk"], ["content-type", "x"], ["content-type", "text/plain"]] }).blob()).type, "text/plain;charset=gbk");
same((await new Response(new Uint8Array(1)).blob()).type, "");
const bytes = await new Response(stream(utf8("ab"))).bytes();
same([bytes.length, bytes.buffer.byteLength], [2, 2]);

// Used, locked.
for (const method of ["arrayBuffer", "blob", "bytes", "formData", "json", "text"]) {
  const used = new Response("1", { headers: { "content-type": "application/x-www-form-urlencoded" } });
  await used[method]();
  same(used.bodyUsed, true);
  for (const again of ["arrayBuffer", "blob", "bytes", "formData", "json", "text"]) await rejects(used[again](), typeError);
  throws(() => used.clone(), typeError);
  check(used.body.locked);
  throws(() => used.body.getReader(), typeError);
  await rejects(Response.prototype[method].call({}), typeError, `${method} of something else`);
  await rejects(Response.prototype[method].call(new Request(u)), typeError);
  await rejects(Request.prototype[method].call(new Response("")), typeError);
}
const locked = new Response("x");
const reader = locked.body.getReader();
same(locked.bodyUsed, false);
await rejects(locked.text(), typeError);
throws(() => locked.clone(), typeError);
const { value } = await reader.read();
same([new TextDecoder().decode(value), locked.bodyUsed], ["x", true]);
const s = stream(utf8("x"));
check(new Response(s).body === s);
s.getReader();
throws(() => new Response(s), typeError);
await rejects(new Response(stream("text")).text(), typeError);
const lazy = new Response("lazy");
check(lazy.body === lazy.body && lazy.body instanceof ReadableStream);
same(await lazy.text(), "lazy");

// clone().
for (const body of ["abc", utf8("abc"), stream(utf8("a"), utf8("bc")), new Blob(["abc"])]) {
  const first = new Response(body, { status: 201, headers: { x: "y" } });
  const second = first.clone();
  second.headers.set("x", "z");
  same([second.status, first.headers.get("x"), await first.text(), second.bodyUsed, await second.text()], [201, "y", "abc", false, "abc"]);
}
const bytesOnce = new Response(utf8("abc"));
const bytesTwice = bytesOnce.clone();
(await bytesOnce.bytes())[0] = 0;
same(await bytesTwice.text(), "abc", "clones do not share memory with what was read");

// Statics.
const error = Response.error();
same([error.type, error.status, error.ok, error.statusText, error.body], ["error", 0, false, "", null]);
const moved = Response.redirect("https://x.y/a b", 301);
same([moved.status, moved.headers.get("location"), moved.type], [301, "https://x.y/a%20b", "default"]);
throws(() => moved.headers.set("a", "b"), typeError);
same(Response.redirect(u).status, 302);
for (const status of [200, 300, 304, 305, 309]) throws(() => Response.redirect(u, status), { name: "RangeError" });
throws(() => Response.redirect("relative"), typeError);
throws(() => Response.redirect(), typeError);
const json = Response.json({ a: 1 }, { status: 202, headers: { x: "y" } });
same([json.status, json.headers.get("content-type"), json.headers.get("x"), await json.text()], [202, "application/json", "y", '{"a":1}']);
same(Response.json(1, { headers: { "content-type": "foo/bar" } }).headers.get("content-type"), "foo/bar");
for (const bad of [undefined, () => 1, Symbol(), 1n, { get a() { throw new TypeError(); } }]) throws(() => Response.json(bad), typeError);
throws(() => Response.json(), typeError);
throws(() => Response.json(1, { status: 204 }), typeError);

// Request.
const get = new Request(u);
same([get.method, get.url, [...get.headers], get.destination, get.referrer, get.referrerPolicy, get.mode, get.credentials, get.cache, get.redirect, get.integrity, get.keepalive, get.isReloadNavigation, get.isHistoryNavigation, get.duplex, get.body, get.bodyUsed],
  ["GET", u, [], "", "about:client", "", "cors", "same-origin", "default", "follow", "", false, false, false, "half", null, false]);
check(get.signal instanceof AbortSignal && get.signal === get.signal && !get.signal.aborted);
same([new Request(new URL("https://A.b/x#y")).url, `${new Request({ toString: () => u }).url}`], ["https://a.b/x#y", u]);
for (const bad of ["", "relative", "https://user@h/", "https://:p@h/", "https://u:p@h/"]) throws(() => new Request(bad), typeError, bad);
throws(() => new Request(), typeError);
for (const [given, wanted] of [["get", "GET"], ["post", "POST"], ["Put", "PUT"], ["delete", "DELETE"], ["options", "OPTIONS"], ["head", "HEAD"], ["patch", "patch"], ["x-y", "x-y"]]) same(new Request(u, { method: given }).method, wanted);
for (const method of ["", "a b", "connect", "TRACE", "Track", "\u0100"]) throws(() => new Request(u, { method }), typeError, `method ${method}`);
for (const [name, values] of Object.entries({
  cache: ["default", "no-store", "reload", "no-cache", "force-cache"], credentials: ["omit", "same-origin", "include"], mode: ["same-origin", "no-cors", "cors"], redirect: ["follow", "error", "manual"],
  referrerPolicy: ["", "no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin", "origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url"],
})) {
  for (const v of values) same(new Request(u, { [name]: v })[name], v);
  throws(() => new Request(u, { [name]: "bogus" }), typeError, name);
}
throws(() => new Request(u, { mode: "navigate" }), typeError);
throws(() => new Request(u, { cache: "only-if-cached" }), typeError);
throws(() => new Request(u, { window: {} }), typeError);
throws(() => new Request(u, { mode: "no-cors", method: "PUT" }), typeError);
throws(() => new Request(u, { signal: {} }), typeError);
throws(() => new Request(u, { signal: 1 }), typeError);
new Request(u, { signal: null, window: null });
throws(() => new Request(u, { duplex: "full", body: "x", method: "POST" }), typeError);
same([new Request(u, { referrer: "" }).referrer, new Request(u, { referrer: "about:client" }).referrer, new Request(u, { integrity: "sha" }).integrity, new Request(u, { keepalive: 1 }).keepalive], ["", "about:client", "sha", true]);
throws(() => new Request(u, { referrer: "no url" }), typeError);
const members = [];
new Request(u, new Proxy({}, { get(t, k) { members.push(k); } }));
same(members, ["body", "cache", "credentials", "duplex", "headers", "integrity", "keepalive", "method", "mode", "priority", "redirect", "referrer", "referrerPolicy", "signal", "window", "cf"]);

// Bodies of requests.
for (const method of ["GET", "HEAD"]) throws(() => new Request(u, { method, body: "x" }), typeError);
new Request(u, { body: null });
const post = new Request(u, { method: "POST", body: "x", headers: { a: "b" } });
same([post.headers.get("content-type"), post.headers.get("a"), await post.clone().text()], ["text/plain;charset=UTF-8", "b", "x"]);
throws(() => new Request(u, { method: "POST", body: stream(utf8("x")) }), typeError);
throws(() => new Request(u, { method: "POST", body: stream(), duplex: "half", keepalive: true }), typeError);
same(await new Request(u, { method: "POST", body: stream(utf8("x")), duplex: "half" }).text(), "x");

// Request from Request.
const from = new Request(post, { headers: { c: "d" } });
same([post.bodyUsed, from.method, [...from.headers], from.bodyUsed, await from.text()], [true, "POST", [["c", "d"]], false, "x"]);
throws(() => new Request(post), typeError);
throws(() => post.clone(), typeError);
same(await new Request(post, { body: "new" }).text(), "new");
const inherit = new Request(new Request(u, { method: "PUT", body: "y", headers: { a: "1" }, redirect: "error", credentials: "omit" }));
same([inherit.method, inherit.headers.get("a"), inherit.redirect, inherit.credentials, await inherit.text()], ["PUT", "1", "error", "omit", "y"]);
throws(() => new Request(new Request(u, { method: "POST", body: "z" }), { method: "GET" }), typeError);
const streamed = new Request(u, { method: "POST", body: stream(utf8("p"), utf8("q")), duplex: "half" });
const second = new Request(streamed);
same([streamed.bodyUsed, await second.text()], [true, "pq"]);
const untouched = new Request(u, { method: "POST", body: "keep" });
throws(() => new Request(untouched, { method: "bad method" }), typeError);
same([untouched.bodyUsed, await untouched.text()], [false, "keep"]);

// Hostile arguments.
const detaching = utf8("abc");
same(await new Response(detaching, { get status() { structuredClone(0, { transfer: [detaching.buffer] }); return 200; } }).text(), "");
throws(() => new Response("x", { get headers() { throw new RangeError("get"); } }), { name: "RangeError" });
throws(() => new Request(u, { get window() { throw new RangeError("get"); }, body: "x", method: "POST", headers: { a: "b" } }), { name: "RangeError" });
throws(() => new Response("x", { headers: [["a", "b"], 1] }), typeError);
for (let i = 0; i < 100; i++) {
  const cycle = new Response("x");
  cycle.self = cycle;
  cycle.headers.owner = cycle;
  cycle.body.owner = cycle;
}
done();
