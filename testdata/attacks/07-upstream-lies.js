/*---
rows = [7, 16, 21]
attack = "answers of a hostile upstream: too many headers, a body shorter than announced, two lengths, no HTTP at all, a redirect loop"
value = '["TypeError","TypeError","TypeError","TypeError","TypeError"]'
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { cpu_ms = 2000, wall_ms = 10000 }
---*/
const names = [];
for (const path of ["/headers", "/lying-length", "/split", "/no-http", "/loop"]) {
  try { const r = await fetch("http://@UPSTREAM@" + path); names.push([r.status, (await r.text()).slice(0, 20)]); } catch (e) { names.push(e.name); }
}
names;
