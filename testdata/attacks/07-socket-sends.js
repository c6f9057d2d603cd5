/*---
rows = [7, 6]
attack = "a WebSocket that is sent more than its server takes, without an end"
outcomes = ["exceededMemory", "exceededCpu", "exceededWallTime", "exception"]
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { cpu_ms = 2000, memory_mb = 64, wall_ms = 4000 }
---*/
const s = new WebSocket("ws://@UPSTREAM@/socket?flood=1");
await new Promise((r) => { s.onopen = r; });
s.onmessage = () => {};
const chunk = new Uint8Array(1 << 20);
for (;;) { s.send(chunk); s.send("x"); await null; }
