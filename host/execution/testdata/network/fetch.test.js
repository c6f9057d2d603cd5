// fetch, after the Fetch standard, against a server.
import { check, done, rejects, same, throws } from "./check.js";

const base = `http://${process.env.SERVER}`;
const at = (path) => base + path;
const text = async (input, init) => (await fetch(input, init)).text();
const inspect = async (init) => text(at("/inspect"), init);

// ---- the request as it is sent

for (const [method, sent] of [["get", "GET"], ["GeT", "GET"], ["head", "HEAD"], ["post", "POST"], ["put", "PUT"], ["delete", "DELETE"], ["options", "OPTIONS"], ["patch", "patch"], ["PATCH", "PATCH"], ["CHICKEN", "CHICKEN"]]) {
  if (sent !== "HEAD") check((await inspect({ method })).startsWith(`${sent} /inspect `), method);
}
for (const method of ["", " ", "CONNECT", "trace", "TRACK", "GET ", "A B", "\u00e9", "G\nT"]) await rejects(fetch(at("/inspect"), { method }), { name: "TypeError" }, `method ${method}`);
for (const method of ["GET", "HEAD"]) await rejects(fetch(at("/inspect"), { method, body: "" }), { name: "TypeError" }, `${method} with a body`);

const form = new FormData();
form.append("a", "1");
form.append("f", new File(["x"], "n.txt", { type: "text/plain" }));
for (const [what, body, length, type, content] of [
  ["text", "h\u00e9", 3, /^text\/plain;charset=UTF-8$/, /^h\u00e9$/],
  ["empty text", "", 0, /^text\/plain;charset=UTF-8$/, /^$/],
  ["params", new URLSearchParams("a=b c"), 5, /^application\/x-www-form-urlencoded;charset=UTF-8$/, /^a=b\+c$/],
  ["bytes", new Uint8Array([65, 66]), 2, undefined, /^AB$/],
  ["buffer", new Uint8Array([65, 66]).buffer, 2, undefined, /^AB$/],
  ["view", new DataView(new Uint8Array([65, 66, 67]).buffer, 1), 2, undefined, /^BC$/],
  ["blob", new Blob(["blob"], { type: "x/y" }), 4, /^x\/y$/, /^blob$/],
  ["blob without a type", new Blob(["blob"]), 4, undefined, /^blob$/],
  ["form", form, undefined, /^multipart\/form-data; boundary=/, /name="f"; filename="n.txt"/],
  ["object", { toString() { return "o"; } }, 1, /^text\/plain/, /^o$/],
]) {
  const said = await inspect({ method: "POST", body });
  const [, head, got] = /^(.*?)\r\n\n(.*)$/s.exec(said);
  if (length !== undefined) same(Number(/^POST \/inspect (-?\d+) /.exec(head)[1]), length, `${what}: length`);
  const sent = /^Content-Type: (.*?)\r?$/m.exec(head)?.[1];
  check(type === undefined ? sent === undefined : type.test(sent), `${what}: type ${sent}`);
  check(content.test(got), `${what}: ${got}`);
}
check(/^POST \/inspect 0 /.test(await inspect({ method: "POST" })), "a POST without a body has the length 0");
check(!/content-length/i.test(await inspect({})), "a GET has no length");
check(/^Content-Type: own\r$/m.test(await inspect({ method: "POST", body: "x", headers: { "Content-Type": "own" } })), "a type of one's own");

const said = await inspect({ headers: [["x-a", "1"], ["X-A", " 2\t"], ["x-b", "\u00ff\u0080"], ["accept", "x/y"], ["user-agent", "me"], ["accept-language", "de"], ["cookie", "a=b"], ["referer", "r"], ["origin", "o"], ["date", "d"], ["dnt", "1"]] });
check(/^X-A: 1\r\nX-A: 2\r$/m.test(said), "values stay apart");
for (const line of ["Accept: x/y", "User-Agent: me", "Accept-Language: de", "Cookie: a=b", "Referer: r", "Origin: o", "Date: d", "Dnt: 1"]) check(said.includes(`${line}\r\n`), line);
const plain = await inspect({});
check(/^Accept: \*\/\*\r$/m.test(plain), "accept is */* by default");
check(/^Accept-Encoding: gzip, deflate, br\r$/m.test(plain), "codings that are known");

// ---- streams

const encoder = new TextEncoder();
const source = (...chunks) => new ReadableStream({ start(c) { for (const chunk of chunks) c.enqueue(typeof chunk === "string" ? encoder.encode(chunk) : chunk); c.close(); } });
check(/^POST \/inspect -1 \[chunked\] <nil>\n.*\n\r?\n?streamed body$/s.test(await inspect({ method: "POST", body: source("streamed ", "body"), duplex: "half" })), "a stream is sent in chunks");
await rejects(fetch(at("/inspect"), { method: "POST", body: source("x") }), { name: "TypeError" }, "a stream without duplex");
await rejects(fetch(at("/inspect"), { method: "POST", body: source("x", 5), duplex: "half" }), { name: "TypeError" }, "a chunk that is no bytes");
await rejects(fetch(at("/inspect"), { method: "POST", body: source("x", "text".split("")), duplex: "half" }), { name: "TypeError" }, "a chunk that is an array");
const reason = new Error("of the source");
await rejects(fetch(at("/inspect"), { method: "POST", body: new ReadableStream({ pull() { throw reason; } }), duplex: "half" }), { message: "of the source" });
const locked = source("x");
locked.getReader();
await rejects(fetch(at("/inspect"), { method: "POST", body: locked, duplex: "half" }), { name: "TypeError" }, "a locked stream");
let cancelled;
await rejects(fetch(at("/?status=307&location=/inspect"), { method: "POST", body: new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(10)); }, cancel(r) { cancelled = r; } }), duplex: "half" }), { name: "TypeError" }, "a stream is not sent twice");
check(cancelled !== undefined, "the stream is cancelled");

// ---- redirects

for (const [status, method, then, body] of [
  [301, "GET", "GET"], [302, "GET", "GET"], [303, "GET", "GET"], [307, "GET", "GET"], [308, "GET", "GET"],
  [301, "POST", "GET"], [302, "POST", "GET"], [303, "POST", "GET"], [307, "POST", "POST", "b"], [308, "POST", "POST", "b"],
  [301, "PUT", "PUT", "b"], [302, "DELETE", "DELETE", "b"], [303, "PUT", "GET"], [303, "PATCH", "GET"],
]) {
  const response = await fetch(at(`/?status=${status}&location=/inspect`), { method, body: method === "GET" ? undefined : "b", headers: { authorization: "x", "content-language": "de" } });
  same([response.redirected, response.url, response.type], [true, at("/inspect"), "basic"]);
  const got = await response.text();
  check(got.startsWith(`${then} /inspect `) && got.endsWith(body ?? "\n"), `${method} after ${status}: ${got}`);
  check(got.includes("Authorization: x"), "credentials go along on the same origin");
  if (method !== "GET") same(/Content-Type|Content-Language/.test(got), then === method, `${method} after ${status}: headers of the body`);
}
const manual = await fetch(at("/?status=302&location=/inspect"), { redirect: "manual" });
same([manual.status, manual.headers.get("location"), manual.redirected, manual.ok], [302, "/inspect", false, false]);
await rejects(fetch(at("/?status=302&location=/inspect"), { redirect: "error" }), { name: "TypeError" });
same((await fetch(at("/bytes?n=1"), { redirect: "error" })).status, 200);
same((await fetch(at("/?status=302"))).status, 302, "no location");
same((await fetch(at("/?status=304&location=/inspect"))).status, 304, "no redirect");
const fragment = await fetch(at("/?status=302&location=/inspect%23new#old"));
same([fragment.url, /#/.test(await fragment.text())], [at("/inspect"), false]);
for (const location of ["http://[", "data:,x", "file:///etc/passwd", "javascript:1"]) await rejects(fetch(at(`/?status=302&location=${encodeURIComponent(location)}`)), { name: "TypeError" }, location);
await rejects(fetch(at(`/?status=302&location=${encodeURIComponent("http://example.com/")}`)), { name: "TypeError" }, "a host that no rule names");

// ---- responses

const response = await fetch(at("/headers?x-a=1&x-a=2&content-type=text%2Fplain&x-b=%FF&set-cookie=a%3D1&set-cookie=b%3D2&x-e="));
same([response.status, response.statusText, response.ok, response.type, response.url.startsWith(at("/headers")), response.redirected], [200, "OK", true, "basic", true, false]);
same([response.headers.get("X-A"), response.headers.get("x-b"), response.headers.getSetCookie(), response.headers.get("x-e")], ["1, 2", "\u00ff", ["a=1", "b=2"], ""]);
throws(() => response.headers.set("a", "b"), { name: "TypeError" }, "headers of a response are immutable");
throws(() => response.headers.append("a", "b"), { name: "TypeError" });
throws(() => response.headers.delete("x-a"), { name: "TypeError" });
const copy = response.clone();
same(copy.headers.get("x-a"), "1, 2");
same([await response.text(), response.bodyUsed, copy.bodyUsed, await copy.text()], ["headers", true, false, "headers"]);
throws(() => response.clone(), { name: "TypeError" });
await rejects(response.text(), { name: "TypeError" });
for (const status of [201, 206, 299, 400, 404, 418, 500, 503, 599]) same([(await fetch(at(`/?status=${status}`))).status, (await fetch(at(`/?status=${status}`))).ok], [status, status < 300], `status ${status}`);
for (const status of [204, 205, 304]) same((await fetch(at(`/?status=${status}`))).body, null, `body of ${status}`);
same((await fetch(at("/bytes?n=10"), { method: "HEAD" })).headers.get("content-length"), "10");
same(await text(at("/bytes?n=10"), { method: "HEAD" }), "");
const zipped = await fetch(at("/gzip"));
same([zipped.headers.get("content-encoding"), (await zipped.text()).length], [null, 5000]);
await rejects(text(at("/cut")), { name: "TypeError" }, "a body that is cut");
await rejects((async () => { for await (const chunk of (await fetch(at("/cut"))).body) chunk; })(), { name: "TypeError" });

// Large bodies, in every way to read them.
const n = 3_000_000;
const right = (bytes) => bytes.length === n && bytes[0] === 0 && bytes[n - 1] === ((n / 1000 - 1) & 255) && bytes[1_500_500] === (1500 & 255);
for (const chunked of ["", "&chunked=1"]) {
  const get = () => fetch(at(`/bytes?n=${n}${chunked}`));
  check(right(await (await get()).bytes()), "bytes()");
  check(right(new Uint8Array(await (await get()).arrayBuffer())), "arrayBuffer()");
  check((await (await get()).blob()).size === n, "blob()");
  const all = [];
  for await (const chunk of (await get()).body) all.push(chunk);
  check(right(new Uint8Array(await new Blob(all).arrayBuffer())), "chunks");
  const [a, b] = (await get()).body.tee();
  const [x, y] = await Promise.all([new Response(a).bytes(), new Response(b).bytes()]);
  check(right(x) && right(y), "tee()");
  const reader = (await get()).body.getReader({ mode: "byob" });
  let read = 0;
  for (let view = new Uint8Array(5000); ;) {
    const r = await reader.read(view);
    if (r.done) break;
    read += r.value.length;
    view = new Uint8Array(r.value.buffer);
  }
  same(read, n, "byob");
  const twice = await get();
  const second = twice.clone();
  check(right(await twice.bytes()) && right(await second.bytes()), "clone()");
}

// A body that is passed on.
for (const chunked of ["", "&chunked=1"]) {
  for (const make of [
    (body) => fetch(at("/inspect"), { method: "POST", body, duplex: "half" }),
    (body) => fetch(new Request(at("/inspect"), { method: "POST", body, duplex: "half" })),
    (body) => fetch(new Request(new Request(at("/inspect"), { method: "POST", body, duplex: "half" }))),
    (body) => fetch(at("/inspect"), { method: "POST", body: new Response(body).body, duplex: "half" }),
  ]) {
    const given = (await fetch(at(`/bytes?n=200000${chunked}`))).body;
    const made = await make(given);
    const answer = new Uint8Array(await made.arrayBuffer());
    same([given.locked, answer[answer.length - 1]], [true, 199], `passed on ${make}`);
    const head = new TextDecoder("latin1").decode(answer.subarray(0, 40));
    check(/^POST \/inspect (200000|-1) /.test(head), head);
    await rejects(async () => make(given), { name: "TypeError" }, "a body is passed on once");
  }
}
const piped = (await fetch(at("/bytes?n=200000"))).body.pipeThrough(new TransformStream());
check((await inspect({ method: "POST", body: piped, duplex: "half" })).startsWith("POST /inspect -1 [chunked]"), "what went through the program is streamed");
const partly = (await fetch(at("/bytes?n=200000"))).body;
const first = partly.getReader();
await first.read();
first.releaseLock();
await rejects(fetch(at("/inspect"), { method: "POST", body: partly, duplex: "half" }), { name: "TypeError" }, "a body that was read from");
await rejects(fetch("http://10.0.0.1/", { method: "POST", body: (await fetch(at("/bytes?n=200000"))).body, duplex: "half" }), { name: "TypeError" });
const gone = new AbortController();
const aborted = (await fetch(at("/slow?head=1"), { signal: gone.signal })).body;
const passing = fetch(at("/inspect"), { method: "POST", body: aborted, duplex: "half" });
setTimeout(() => gone.abort(), 20);
await rejects(passing, {}, "the source's abort ends both");

// ---- aborting

const before = new AbortController();
before.abort();
await rejects(fetch(at("/slow"), { signal: before.signal }), { name: "AbortError" });
await rejects(fetch(at("/slow"), { signal: AbortSignal.abort("why") }).catch((e) => { throw { name: e }; }), { name: "why" });
const during = new AbortController();
setTimeout(() => during.abort(new RangeError("mine")), 10);
await rejects(fetch(at("/slow"), { signal: during.signal }), { name: "RangeError", message: "mine" });
await rejects(fetch(at("/slow"), { signal: AbortSignal.timeout(10) }), { name: "TimeoutError" });
const reading = new AbortController();
const slow = await fetch(at("/slow?head=1"), { signal: reading.signal });
setTimeout(() => reading.abort(), 10);
await rejects(slow.text(), { name: "AbortError" });
const ofRequest = new AbortController();
const request = new Request(at("/slow"), { signal: ofRequest.signal });
setTimeout(() => ofRequest.abort(), 10);
await rejects(fetch(request), { name: "AbortError" });
await rejects(fetch(new Request(request)), { name: "AbortError" }, "a copy follows");
const stopped = new AbortController();
let why;
const upload = fetch(at("/inspect"), { method: "POST", duplex: "half", signal: stopped.signal, body: new ReadableStream({ pull() { return new Promise(() => {}); }, cancel(r) { why = r; } }) });
setTimeout(() => stopped.abort(), 10);
await rejects(upload, { name: "AbortError" });
same(why?.name, "AbortError", "the upload's stream learns why");
const late = new AbortController();
const whole = await fetch(at("/bytes?n=10"), { signal: late.signal });
same((await whole.bytes()).length, 10);
late.abort();

// ---- what is not on the network

for (const [url, type, content] of [
  ["data:,x", "text/plain;charset=US-ASCII", "x"], ["data:text/html,<b>%C3%A9", "text/html", "<b>\u00e9"], ["data:;base64,aGk=", "text/plain;charset=US-ASCII", "hi"],
  ["data:text/plain;charset=utf-8;base64,aGk", "text/plain;charset=utf-8", "hi"], ["data:TEXT/CSS;A=b;base64,a G k", "text/css;a=b", "hi"], ["data:;charset=x,y", "text/plain;charset=x", "y"],
  ["data:nonsense,x", "text/plain;charset=US-ASCII", "x"], ["data:a/b;x=\"q;r\",z", "a/b;x=\"q;r\"", "z"], ["data:,a%2", "text/plain;charset=US-ASCII", "a%2"], ["data:,a#b", "text/plain;charset=US-ASCII", "a"],
]) {
  const r = await fetch(url);
  same([r.status, r.type, r.headers.get("content-type"), await r.text()], [200, "basic", type, content], url);
}
for (const url of ["data:", "data:x", "data:;base64,a", "data:;base64,%", "data:;base64,aG=k"]) await rejects(fetch(url), { name: "TypeError" }, url);
const url = URL.createObjectURL(new Blob(["hello"], { type: "a/b" }));
check(/^blob:null\/[0-9a-f-]{36}$/.test(url), url);
const local = await fetch(url);
same([local.status, local.headers.get("content-type"), local.headers.get("content-length"), await local.text()], [200, "a/b", "5", "hello"]);
for (const [range, part, where] of [["bytes=1-2", "el", "bytes 1-2/5"], ["bytes=3-", "lo", "bytes 3-4/5"], ["bytes=-2", "lo", "bytes 3-4/5"], ["bytes=0-99", "hello", "bytes 0-4/5"]]) {
  const r = await fetch(url, { headers: { range } });
  same([r.status, await r.text(), r.headers.get("content-range")], [206, part, where], range);
}
for (const range of ["bytes=5-", "bytes=2-1", "bytes=", "bytes=-", "x=0-1", "bytes=0-1,2-3"]) await rejects(fetch(url, { headers: { range } }), { name: "TypeError" }, range);
await rejects(fetch(url, { method: "POST" }), { name: "TypeError" });
URL.revokeObjectURL(url);
await rejects(fetch(url), { name: "TypeError" }, "a URL that was revoked");
throws(() => URL.createObjectURL("x"), { name: "TypeError" });
for (const bad of ["", "http://", "ftp://x/", "about:blank", "file:///x", "http://user@host/", "http://a:b@host/", "//x"]) await rejects(fetch(bad), { name: "TypeError" }, bad);
await rejects(fetch(), { name: "TypeError" });

// ---- integrity

const digest = async (algorithm, data) => btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest(algorithm, data))));
const data = await (await fetch(at("/bytes?n=200000"))).bytes();
const small = encoder.encode("headers");
for (const [path, content] of [["/headers", small], ["/bytes?n=200000", data]]) {
  for (const [prefix, algorithm] of [["sha256", "SHA-256"], ["sha384", "SHA-384"], ["sha512", "SHA-512"]]) {
    const r = await fetch(at(path), { integrity: `${prefix}-${await digest(algorithm, content)}` });
    same([r.status, r.url, (await r.bytes()).length], [200, at(path), content.length], `${prefix} of ${path}`);
    await rejects(fetch(at(path), { integrity: `${prefix}-${await digest(algorithm, encoder.encode("x"))}` }), { name: "TypeError" });
  }
}
const good = `sha256-${await digest("SHA-256", small)}`;
const wrong = `sha512-${await digest("SHA-512", encoder.encode("x"))}`;
for (const [integrity, ok] of [[`${good} sha256-AAAA`, true], [`sha256-AAAA  ${good}`, true], [`${good} ${wrong}`, false], [`md5-AAAA`, true], ["nonsense", true], [`${good}?option`, true], [good.toUpperCase().replace("SHA", "sha"), false], ["", true]]) {
  same(await fetch(at("/headers"), { integrity }).then(() => true, () => false), ok, integrity);
}

// ---- statics

same([Response.error().type, Response.error().status, Response.redirect("http://a/").status, Response.redirect("http://a/b", 307).headers.get("location")], ["error", 0, 302, "http://a/b"]);
for (const status of [200, 300, 304, 309, 400]) throws(() => Response.redirect("http://a/", status), { name: "RangeError" }, `redirect(${status})`);
throws(() => Response.redirect("http://["), { name: "TypeError" });
const json = Response.json({ a: 1 }, { status: 201, headers: { x: "y" } });
same([json.status, json.headers.get("content-type"), json.headers.get("x"), await json.json()], [201, "application/json", "y", { a: 1 }]);
throws(() => Response.json(undefined), { name: "TypeError" });
throws(() => Response.json(1, { status: 204 }), { name: "TypeError" });
done();
