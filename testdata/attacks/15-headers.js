/*---
rows = [15, 16]
attack = "CR, LF and NUL in names and values of headers, methods and URLs, and headers that belong to the transport"
match = "^\\[\\d+,0,true\\]$"
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { subrequests = 100, wall_ms = 10000 }
---*/
const url = "http://@UPSTREAM@/echo";
let refused = 0, passed = 0;
const attempt = async (u, init) => { try { const text = await (await fetch(u, init)).text(); if (/^(Evil|X-Smuggled): /im.test(text)) passed++; } catch (e) { if (e instanceof TypeError) refused++; else throw e; } };
for (const bad of ["a\r\nEvil: 1", "a\nEvil: 1", "a\rEvil: 1", "a\0b", "a\u010d\u010aEvil: 1", "a\u560d\u560aEvil: 1", "a\x0bEvil: 1"]) {
  await attempt(url, { headers: { x: bad } });
  await attempt(url, { headers: { [bad]: "x" } });
  await attempt(url, { headers: [["x", bad], ["y", bad]] });
  await attempt(url, { method: "GET " + bad });
  await attempt(url + "?" + bad);
  await attempt("http://@UPSTREAM@" + bad + "/echo");
  try { new Headers().append(bad, bad); passed++; } catch { refused++; }
  try { new Request(url, { method: bad }); passed++; } catch { refused++; }
  try { new Response("", { statusText: bad.replace("\u010d", "").replace("\u560d", ""), headers: { l: bad } }); if (!/[\u0100-\uffff]/.test(bad) && bad !== "a\x0bEvil: 1") passed++; } catch { refused++; }
}
for (const init of [{ method: "CONNECT" }, { method: "TRACE" }, { method: "track" }, { method: "POST", body: "x", headers: { "content-length": "100", "transfer-encoding": "chunked", "x-smuggled-by": "none" } }, { headers: { host: "evil.example", connection: "close, x", te: "trailers", upgrade: "h2c", "proxy-authorization": "x", expect: "100-continue", trailer: "x-smuggled" } }]) await attempt(url, init);
const echoed = await (await fetch(url, { method: "POST", body: "four", headers: { host: "evil.example", "content-length": "9", "transfer-encoding": "chunked", te: "trailers", via: "x" } })).text();
[refused, passed, /\nHost: 127\.0\.0\.2:/.test(echoed) && /Content-Length: 4\r/.test(echoed) && !/evil|^te:|^via:/im.test(echoed) && echoed.endsWith("\n\nfour")];
