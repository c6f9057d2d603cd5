/*---
rows = [9, 7]
attack = "a compressed bomb that is passed on to another server"
outcomes = ["exception"]
error = "TypeError: .*too large when it is decompressed"
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { cpu_ms = 2000, memory_mb = 64, wall_ms = 20000 }
---*/
const bomb = await fetch("http://@UPSTREAM@/bomb?coding=br");
await (await fetch("http://@UPSTREAM@/sink", { method: "POST", body: bomb.body, duplex: "half" })).text();
