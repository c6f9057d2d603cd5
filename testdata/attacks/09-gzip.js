/*---
rows = [9]
attack = "a response's body of few bytes that becomes 256 MiB when it is decompressed (gzip)"
outcomes = ["exception", "exceededMemory", "exceededCpu"]
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { cpu_ms = 3000, memory_mb = 384, wall_ms = 20000 }
---*/
(await (await fetch("http://@UPSTREAM@/bomb?coding=gzip")).bytes()).length;
