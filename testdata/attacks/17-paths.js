/*---
rows = [17]
attack = "file paths that lead out: above the root, to the machine's own files, with NUL, URL escapes and backslashes"
match = "^\\{\"opened\":\\[\\],\"confused\":\\[\\],\"folders\":\\[[a-z\",]*\\]\\}$"
---*/
import fs from "node:fs";
const opened = [], confused = [];
for (const p of ["/etc/passwd", "../../../../../../etc/passwd", "/../../etc/passwd", "/proc/self/environ", "/proc/1/cmdline", "/dev/mem", "/sys/kernel", "file:///etc/passwd", new URL("file:///etc/passwd"), new URL("file:///%2e%2e/etc/passwd"), "/workspace/../etc/passwd\0.txt", "..\\..\\etc\\passwd", "C:\\Windows\\win.ini", "\\\\host\\share", "/etc/./././passwd", "//etc//passwd", "%2e%2e/%2e%2e/etc/passwd", "/root/.cache/mayfly", "/home", "meta.db", "../meta.db", "~/.ssh/id_rsa", Buffer.from("/etc/passwd")]) {
  for (const f of [fs.readFileSync, fs.readdirSync, (p) => fs.statSync(p), (p) => fs.existsSync(p) || (() => { throw 0; })()]) { try { f(p); opened.push(String(p)); } catch {} }
}
fs.writeFileSync("/tmp/../../../../x.txt", "x");
fs.writeFileSync("/workspace/a%2fb", "1");
try { fs.writeFileSync("/workspace/a\0b", "2"); confused.push("NUL"); } catch {}
try { fs.readFileSync("/workspace/a/b"); confused.push("%2f"); } catch {}
fs.writeFileSync("/workspace/A", "upper");
if (fs.existsSync("/workspace/a")) confused.push("case");
if (fs.readFileSync("/x.txt", "utf8") !== "x") confused.push("root");
export default { opened, confused, folders: fs.readdirSync("/").filter((n) => n !== "x.txt").sort() };
