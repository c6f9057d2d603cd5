/*---
rows = [12, 18]
attack = "URLs that are not HTTP, and ports that no rule names"
match = "^\"refused \\d+: \"$"
[request]
network = { allow = [{ host = "*" }] }
limits = { subrequests = 200, wall_ms = 20000 }
---*/
const got = [];
let refused = 0;
for (const u of ["file:///etc/passwd", "file://localhost/etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:@CANARY_PORT@/_x", "ws://127.0.0.1:@CANARY_PORT@/", "unix:///run/docker.sock", "http+unix://%2Frun%2Fdocker.sock/", "jar:http://127.0.0.1!/", "javascript:1", "node:fs", "//127.0.0.1:@CANARY_PORT@/", "/etc/passwd", "http:///127.0.0.1:@CANARY_PORT@/", "http:127.0.0.1:@CANARY_PORT@", "http:\\\\127.0.0.1:@CANARY_PORT@\\", "\thttp://127.0.0.1:@CANARY_PORT@/", "ht\ntp://127.0.0.1:@CANARY_PORT@/", "http://127.0.0.1:99999/", "http://127.0.0.1:-1/", "http://127.0.0.2:22/", "http://127.0.0.2:0/", "http://@UPSTREAM@/"]) {
  try { const r = await fetch(u); got.push(u + " " + r.status); } catch (e) { refused++; }
}
`refused ${refused}: ${got.join(", ")}`;
