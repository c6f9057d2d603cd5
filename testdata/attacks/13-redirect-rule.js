/*---
rows = [13]
attack = "a redirect to a host that the request's own rules do not name, with credentials to take along"
outcomes = ["exception"]
error = "network\\.allow|not allowed|refused"
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
---*/
await fetch("http://@UPSTREAM@/redirect?to=" + encodeURIComponent("http://example.com/"), { headers: { authorization: "Bearer secret", cookie: "a=b" } });
