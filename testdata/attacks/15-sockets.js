/*---
rows = [15, 16]
attack = "CR, LF and NUL in what a WebSocket or an event source sends: URLs, subprotocols, reasons, the last event's id; and header fields of the handshake that belong to the transport"
match = "^\\[\\d+,0,true,true,true\\]$"
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { subrequests = 200, wall_ms = 20000 }
---*/
let refused = 0, passed = 0;
const attempt = (f) => { try { f(); passed++; } catch (e) { if (e instanceof TypeError || e instanceof DOMException) refused++; else throw e; } };
const url = "ws://@UPSTREAM@/socket";
for (const bad of ["a\r\nEvil: 1", "a\nEvil: 1", "a\rEvil: 1", "a\0b", "a\u010d\u010aEvil: 1", "a\x0bEvil: 1", "a, b", "a;b"]) {
  attempt(() => new WebSocket(url, bad));
  attempt(() => new WebSocket(url, ["ok", bad]));
  await fetch("http://@UPSTREAM@/echo", { headers: { upgrade: "websocket", "sec-websocket-protocol": bad.replace(", ", " ") } }).then(async (r) => { if (/^evil: /im.test(await r.text())) passed++; }, () => { refused++; });
}
// In a URL they are taken away, or written with percent signs.
const open = (target, protocols) => new Promise((resolve, reject) => { const s = new WebSocket(target, protocols); s.onopen = () => resolve(s); s.onerror = () => { refused++; resolve(); }; });
for (const bad of ["\r\nEvil: 1", "%0d%0aEvil: 1", " HTTP/1.1\r\nEvil: 1"]) (await open(url + "?" + bad))?.close();

// The reason of a close is text in a frame; a server gets what was given.
const s = await open(url);
attempt(() => s.close(1005, "x"));
attempt(() => s.close(3000, "x".repeat(124)));
const closed = new Promise((r) => { s.onclose = (e) => r(e.reason); });
s.send("a\r\n\0b");
const echoed = await new Promise((r) => { s.onmessage = (e) => r(e.data); });
s.close(3000, "a\r\nb");
const same = echoed === "a\r\n\0b" && (await closed) === "a\r\nb";

// The last id goes into a header field as bytes of UTF-8.
const ids = [];
const es = new EventSource("http://@UPSTREAM@/events?id=" + encodeURIComponent("\u010d\u010aEvil: 1"));
await new Promise((r) => { es.onmessage = (e) => { ids.push(e.data); if (ids.length === 2) { es.close(); r(); } }; });
const clean = ids[1].includes("\\u010d") || ids[1].includes("\u010d") || ids[1].includes("\\xc4");

// What belongs to the handshake is the transport's.
const text = await (await fetch("http://@UPSTREAM@/echo", { headers: {
  upgrade: "websocket", connection: "keep-alive, X-Own", "sec-websocket-key": "mine", "sec-websocket-version": "8", "sec-websocket-extensions": "x-mine", "sec-websocket-accept": "x-mine",
  host: "evil.example", "content-length": "10", "transfer-encoding": "chunked", "proxy-authorization": "x-mine", te: "trailers", "x-own": "1",
} })).text();
const plain = await (await fetch("http://@UPSTREAM@/echo", { headers: { upgrade: "h2c, websocket", connection: "upgrade", "http2-settings": "x-mine", "sec-websocket-key": "mine", "sec-websocket-protocol": "x-mine" } })).text();
const own = /^Connection: Upgrade\r/m.test(text) && /^Upgrade: websocket\r/m.test(text) && /^Sec-Websocket-Version: 13\r/m.test(text) && /^X-Own: 1\r/m.test(text) && !/mine|evil|^content-length|^te:/im.test(text) &&
  /Host: 127\.0\.0\.2/.test(text) && !/mine|^upgrade|^connection|^sec-/im.test(plain);
[refused, passed, same, clean, own];
