/*---
rows = [6]
attack = "fetches by the thousand, none of which is awaited"
outcomes = ["exception", "exceededSubrequests"]
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { cpu_ms = 3000, subrequests = 20, operations = 50, wall_ms = 5000 }
---*/
const all = [];
for (let i = 0; i < 5000; i++) all.push(fetch("http://@UPSTREAM@/silent"));
await Promise.race(all);
