/*---
rows = [4]
attack = "millions of empty files and folders, which have no bytes but take the host's memory"
match = "^\"(ENOSPC|EMFILE|ENFILE|EDQUOT)"
[request.limits]
cpu_ms = 10000
---*/
import fs from "node:fs";
let code = "none";
try { for (let i = 0; i < 3e6; i++) { if (i % 3 === 0) fs.mkdirSync("/tmp/d" + i); else fs.writeFileSync("/tmp/f" + i, ""); } } catch (e) { code = e.code; }
export default code;
