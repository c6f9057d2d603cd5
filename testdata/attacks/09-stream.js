/*---
rows = [9]
attack = "a compressed bomb of which nothing is kept: its bound holds all the same"
outcomes = ["exception"]
error = "TypeError: .*too large when it is decompressed"
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { cpu_ms = 5000, memory_mb = 64, wall_ms = 20000 }
---*/
for await (const chunk of (await fetch("http://@UPSTREAM@/bomb?coding=br")).body) chunk;
