/*---
rows = [7]
attack = "a body of which a byte comes now and then"
outcomes = ["exceededWallTime"]
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { wall_ms = 1000 }
---*/
for await (const chunk of (await fetch("http://@UPSTREAM@/drip")).body) chunk;
