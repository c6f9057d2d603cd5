/*---
rows = [13]
attack = "an open host that redirects to closed ones, in every way"
match = "^\"refused \\d+: \"$"
[request]
network = { allow = [{ host = "*", ports = ["@UPSTREAM_PORT@", "@CANARY_PORT@", 80] }] }
limits = { subrequests = 200, wall_ms = 20000 }
---*/
const got = [];
let refused = 0;
for (const code of [301, 302, 303, 307, 308]) for (const to of ["http://127.0.0.1:@CANARY_PORT@/", "//127.0.0.1:@CANARY_PORT@/", "http://localhost:@CANARY_PORT@/", "http://[::1]:@CANARY_PORT@/", "http://[::ffff:127.0.0.1]:@CANARY_PORT@/", "http://2130706433:@CANARY_PORT@/", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "http://x@127.0.0.1:@CANARY_PORT@/", "HTTP://0X7F.1:@CANARY_PORT@/", "/redirect?to=http%3A%2F%2F127.0.0.1%3A@CANARY_PORT@%2F"]) {
  try { const r = await fetch(`http://@UPSTREAM@/redirect?code=${code}&to=${encodeURIComponent(to)}`, { signal: AbortSignal.timeout(3000) }); got.push(`${code} ${to} ${r.status}`); } catch (e) { refused++; }
}
`refused ${refused}: ${got.join(", ")}`;
