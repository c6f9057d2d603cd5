/*---
rows = [7]
attack = "responses whose bodies are never read: the host reads no further than its buffer"
outcomes = ["exceededWallTime", "exception"]
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { cpu_ms = 2000, memory_mb = 64, wall_ms = 1500, subrequests = 20 }
---*/
const all = [];
for (let i = 0; i < 20; i++) all.push(await fetch("http://@UPSTREAM@/endless"));
await new Promise((r) => setTimeout(r, 60000));
