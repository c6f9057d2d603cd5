/*---
rows = [4]
attack = "files until there is no more room, by every way to write one: the program is told"
value = '["ENOSPC","ENOSPC","ENOSPC","ENOSPC"]'
[request.limits]
files_bytes = 1000000
memory_mb = 64
cpu_ms = 3000
---*/
import fs from "node:fs";
import { writeFile, appendFile } from "node:fs/promises";
const codes = [];
const until = async (f) => { for (let i = 0; ; i++) { try { await f(i); } catch (e) { codes.push(e.code); break; } } fs.rmSync("/tmp/x", { recursive: true, force: true }); };
const text = "x".repeat(50000);
await until((i) => { fs.mkdirSync("/tmp/x", { recursive: true }); fs.writeFileSync("/tmp/x/" + i, text); });
await until(() => { fs.appendFileSync("/tmp/x", text); });
await until(async (i) => { fs.mkdirSync("/tmp/x", { recursive: true }); await writeFile("/tmp/x/" + i, text); });
await until(() => appendFile("/tmp/x", text));
export default codes;
