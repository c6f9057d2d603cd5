/*---
rows = [7, 6]
attack = "many WebSockets that send without an end, of whose messages one is taken, and that are never closed"
outcomes = ["exceededWallTime", "exceededMemory", "exception"]
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { cpu_ms = 2000, memory_mb = 64, wall_ms = 2000, subrequests = 60 }
---*/
for (let i = 0; i < 50; i++) {
  const response = await fetch("http://@UPSTREAM@/socket?flood=1", { headers: { upgrade: "websocket" } });
  if (i % 2) response.webSocket.accept();
}
await new Promise((r) => setTimeout(r, 60000));
