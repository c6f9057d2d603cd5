/*---
rows = [13]
attack = "a proxy in the server's environment (the canary): requests go straight to their host"
value = '[200,"upstream"]'
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
---*/
const r = await fetch("http://@UPSTREAM@/plain");
[r.status, await r.text()];
