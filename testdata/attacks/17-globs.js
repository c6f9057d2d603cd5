/*---
rows = [17, 3]
attack = "patterns of artifacts that take exponentially long to match, or match what was not written"
outcomes = ["ok", "exception"]
absent = "given\\.txt\",\"path"
[request]
files = [{ path = "given.txt", content = "given" }]
artifacts = { paths = ["/**/**/**/**/**/**/**/**/**/**/**/**/x", "{a,b,{c,{d,{e,{f,g}}}}}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}*", "********************************b", "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", "../../../../**", "/etc/**"] }
limits = { cpu_ms = 3000 }
---*/
import fs from "node:fs";
let p = "/tmp"; for (let i = 0; i < 25; i++) { p += "/a"; fs.mkdirSync(p); }
for (let i = 0; i < 200; i++) fs.writeFileSync(`${p}/${"a".repeat(60)}${i}`, "x");
for (let i = 0; i < 50; i++) fs.writeFileSync(`/workspace/${"a".repeat(100)}${i}`, "x");
export default 1;
