/*---
rows = [7]
attack = "an upload without an end"
outcomes = ["exceededCpu", "exceededWallTime", "exception"]
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { cpu_ms = 1000, wall_ms = 3000, memory_mb = 64 }
---*/
const body = new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(65536)); } });
await fetch("http://@UPSTREAM@/silent", { method: "POST", body, duplex: "half" });
