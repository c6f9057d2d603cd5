/*---
rows = [4, 5]
attack = "folders nested as deep as they go, and paths as long as they go"
match = "^\\[\"(ENAMETOOLONG|ENOSPC|ELOOP)\",\"(ENAMETOOLONG|ENOSPC|ELOOP)\",\\d+\\]$"
[request.limits]
cpu_ms = 5000
---*/
import fs from "node:fs";
let path = "/tmp", code = "none", wide = "none";
try { for (let i = 0; i < 1e5; i++) { path += "/d"; fs.mkdirSync(path); } } catch (e) { code = e.code; }
try { fs.writeFileSync("/tmp/" + "n".repeat(100000), ""); } catch (e) { wide = e.code; }
export default [code, wide, fs.readdirSync("/tmp", { recursive: true }).length];
