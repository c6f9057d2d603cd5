/*---
rows = [12, 26]
attack = "rules that try to open what only the server's operator may: loopback, private blocks, everything"
match = "^\"refused 6\"$"
[request]
network = { allow = [{ host = "127.0.0.1", ports = ["@CANARY_PORT@"] }, { host = "127.0.0.0/8", ports = ["@CANARY_PORT@"] }, { host = "localhost", ports = ["@CANARY_PORT@"] }, { host = "0.0.0.0/0", ports = ["@CANARY_PORT@"] }, { host = "::/0", ports = ["@CANARY_PORT@"] }, { host = "*.localhost", ports = ["@CANARY_PORT@"] }, { host = "[::1]", ports = ["@CANARY_PORT@"] }] }
limits = { wall_ms = 10000 }
---*/
let refused = 0;
for (const h of ["127.0.0.1", "localhost", "a.localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"]) { try { await fetch(`http://${h}:@CANARY_PORT@/`); } catch { refused++; } }
`refused ${refused}`;
