/*---
rows = [13]
attack = "an open host that redirects WebSockets and event sources to closed ones, with credentials to take along"
match = "^\"refused \\d+: \"$"
[request]
network = { allow = [{ host = "*", ports = ["@UPSTREAM_PORT@", "@CANARY_PORT@", 80] }] }
limits = { subrequests = 300, wall_ms = 20000 }
---*/
const got = [];
let refused = 0;
const ends = (source, what) => new Promise((resolve) => {
  source.onopen = source.onmessage = () => { got.push(what); source.close(); resolve(); };
  source.onerror = () => { refused++; source.close(); resolve(); };
});
for (const code of [301, 302, 303, 307, 308]) for (const to of ["http://127.0.0.1:@CANARY_PORT@/", "ws://127.0.0.1:@CANARY_PORT@/", "//127.0.0.1:@CANARY_PORT@/", "http://localhost:@CANARY_PORT@/", "http://[::ffff:127.0.0.1]:@CANARY_PORT@/", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "/socket"]) {
  const path = `@UPSTREAM@/redirect?code=${code}&to=${encodeURIComponent(to)}`;
  await ends(new WebSocket(`ws://${path}`), `ws ${code} ${to}`);
  await fetch(`http://${path}`, { headers: { upgrade: "websocket", authorization: "Bearer secret" } }).then((r) => got.push(`upgrade ${code} ${to} ${r.status}`), () => { refused++; });
  if (to !== "/socket") await ends(new EventSource(`http://${path}`), `events ${code} ${to}`);
}
`refused ${refused}: ${got.join(", ")}`;
