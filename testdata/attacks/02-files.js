/*---
rows = [2]
attack = "host operations that work: files copied, listed and removed without an end"
outcomes = ["exceededCpu", "exceededMemory"]
[request.limits]
cpu_ms = 100
---*/
import fs from "node:fs";
fs.mkdirSync("/tmp/many", { recursive: true });
for (let i = 0; i < 500; i++) fs.writeFileSync(`/tmp/many/${i}`, "x".repeat(10000));
for (;;) { fs.readdirSync("/tmp", { recursive: true }); for (let i = 0; i < 500; i++) { fs.renameSync(`/tmp/many/${i}`, `/tmp/many/r${i}`); fs.appendFileSync(`/tmp/many/r${i}`, "y"); fs.readFileSync(`/tmp/many/r${i}`); fs.renameSync(`/tmp/many/r${i}`, `/tmp/many/${i}`); } }
