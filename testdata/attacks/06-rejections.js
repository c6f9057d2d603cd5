/*---
rows = [6, 8]
attack = "a hundred thousand rejections that nobody handles"
outcomes = ["exception"]
[request.limits]
cpu_ms = 5000
---*/
for (let i = 0; i < 100000; i++) Promise.reject(new Error("r" + i));
