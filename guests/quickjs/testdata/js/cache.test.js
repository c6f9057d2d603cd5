// caches, scheduler and FileReader.
import { anInterface, check, done, rejects, same, sleep, throws } from "./check.js";

anInterface(Cache, "Cache", { abstract: true, methods: { put: 2, match: 1, delete: 1 } });
anInterface(CacheStorage, "CacheStorage", { abstract: true, attributes: ["default"], methods: { open: 1 } });
anInterface(Scheduler, "Scheduler", { abstract: true, methods: { wait: 1 } });

const url = "https://example.com/a";
const cache = caches.default;
check(cache === caches.default && (await caches.open("x")) === (await caches.open("x")) && (await caches.open("x")) !== cache);

// What was put is found, as often as it is asked for, by that URL alone.
same(await cache.match(url), undefined);
await cache.put(url + "#fragment", new Response("body", { status: 201, statusText: "Made", headers: { a: "b", "cache-control": "max-age=60" } }));
for (let i = 0; i < 2; i++) {
  const r = await cache.match(new Request(url));
  same([r.status, r.statusText, r.headers.get("a"), r.headers.get("cf-cache-status"), await r.text()], [201, "Made", "b", "HIT", "body"]);
}
same([await cache.match(url + "?x"), await (await caches.open("x")).match(url)], [undefined, undefined]);
same([await cache.match(new Request(url, { method: "POST" })), (await cache.match(new Request(url, { method: "POST" }), { ignoreMethod: true })).status], [undefined, 201]);
same([await cache.delete(url), await cache.delete(url), await cache.match(url)], [true, false, undefined]);

// What may not be kept is not.
for (const headers of [
  { "cache-control": "no-store" }, { "cache-control": "private" }, { "cache-control": "max-age=0" }, { "cache-control": "max-age=60, s-maxage=0" },
  { "set-cookie": "a=b" }, { expires: "Thu, 01 Jan 1970 00:00:00 GMT" }, { expires: "never" },
]) {
  await cache.put(url, new Response("x", { headers }));
  same(await cache.match(url), undefined, JSON.stringify(headers));
}
await cache.put(url, new Response("x", { headers: { "set-cookie": "a=b", "cache-control": "private=Set-Cookie" } }));
same((await cache.match(url)).headers.get("set-cookie"), null);
await rejects(cache.put(new Request(url, { method: "POST" }), new Response()), { name: "TypeError", message: "Cannot cache response to non-GET request." });
await rejects(cache.put(url, new Response("x", { status: 206 })), { name: "TypeError", message: "Cannot cache response to a range request (206 Partial Content)." });
await rejects(cache.put(url, new Response("x", { headers: { vary: "a, *" } })), { name: "TypeError", message: "Cannot cache response with 'Vary: *' header." });
const used = new Response("x");
await used.text();
await rejects(cache.put(url, used), { name: "TypeError" });
await rejects(cache.put("data:,x", new Response("x")), { name: "TypeError" });
await rejects(cache.match(), { name: "TypeError" });

// Conditions and ranges.
await cache.put(url, new Response("0123456789", { headers: { etag: '"1"', "last-modified": "Mon, 01 Jan 2024 00:00:00 GMT" } }));
const get = async (headers) => {
  const r = await cache.match(new Request(url, { headers }));
  return [r.status, r.headers.get("content-range"), await r.text()];
};
same(await get({ "if-none-match": 'W/"0", W/"1"' }), [304, null, ""]);
same(await get({ "if-none-match": '"2"' }), [200, null, "0123456789"]);
same(await get({ "if-modified-since": "Mon, 01 Jan 2024 00:00:00 GMT" }), [304, null, ""]);
same(await get({ "if-modified-since": "Sun, 31 Dec 2023 00:00:00 GMT" }), [200, null, "0123456789"]);
same(await get({ range: "bytes=2-4" }), [206, "bytes 2-4/10", "234"]);
same(await get({ range: "bytes=8-" }), [206, "bytes 8-9/10", "89"]);
same(await get({ range: "bytes=-3" }), [206, "bytes 7-9/10", "789"]);
same(await get({ range: "bytes=5-100" }), [206, "bytes 5-9/10", "56789"]);
same(await get({ range: "bytes=10-" }), [416, "bytes */10", ""]);
same(await get({ range: "bytes=1-2,4-5" }), [200, null, "0123456789"]);
same(await get({ range: "lines=1-2" }), [200, null, "0123456789"]);
// What was given out changes nothing of what is kept.
const bytes = new Uint8Array(await (await cache.match(url)).arrayBuffer());
bytes.fill(0);
same(await (await cache.match(url)).text(), "0123456789");

// scheduler.wait
const began = performance.now();
same(await scheduler.wait(5), undefined);
check(performance.now() - began >= 4);
await rejects(scheduler.wait(1, { signal: AbortSignal.abort("why") }).catch((e) => { throw { name: e }; }), { name: "why" });
const controller = new AbortController();
const waiting = scheduler.wait(60_000, { signal: controller.signal });
controller.abort();
await rejects(waiting, { name: "AbortError" });
await rejects(scheduler.wait(), { name: "TypeError" });
await rejects(scheduler.wait(1, { signal: {} }), { name: "TypeError" });

// FileReader
anInterface(FileReader, "FileReader", {
  parent: EventTarget, attributes: ["readyState", "result", "error", "onloadstart", "onprogress", "onload", "onabort", "onerror", "onloadend"],
  methods: { readAsArrayBuffer: 1, readAsBinaryString: 1, readAsText: 1, readAsDataURL: 1, abort: 0 },
});
anInterface(ProgressEvent, "ProgressEvent", { length: 1, parent: Event, attributes: ["lengthComputable", "loaded", "total"] });
const readAs = (method, blob, ...rest) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = (event) => resolve(reader.result);
  reader.onerror = () => reject(reader.error);
  reader[method](blob, ...rest);
});
const blob = new Blob([new Uint8Array([0x68, 0xc3, 0xbc])], { type: "text/plain" });
same(await readAs("readAsText", blob), "hü");
same(await readAs("readAsText", blob, "windows-1252"), "hÃ¼");
same(await readAs("readAsText", blob, "no such label"), "hü");
same(await readAs("readAsText", new Blob([blob], { type: "text/plain;charset=windows-1252" })), "hÃ¼");
same(await readAs("readAsText", new Blob([new Uint8Array([0xff, 0xfe, 0x61, 0])]), "windows-1252"), "a");
same(await readAs("readAsDataURL", blob), "data:text/plain;base64,aMO8");
same(await readAs("readAsDataURL", new Blob(["x"])), "data:application/octet-stream;base64,eA==");
same(await readAs("readAsBinaryString", blob), "h\u00c3\u00bc");
same(new Uint8Array(await readAs("readAsArrayBuffer", blob)), new Uint8Array([0x68, 0xc3, 0xbc]));
const reader = new FileReader();
const events = [];
for (const type of ["loadstart", "load", "abort", "loadend"]) reader.addEventListener(type, () => events.push(type));
reader.readAsText(blob);
same([reader.readyState, FileReader.LOADING, reader.result], [1, 1, null]);
throws(() => reader.readAsText(blob), { name: "InvalidStateError" });
reader.abort();
await sleep(5);
same([events, reader.readyState, reader.result], [["abort", "loadend"], FileReader.DONE, null]);
throws(() => reader.readAsText("x"), { name: "TypeError" });

done();
