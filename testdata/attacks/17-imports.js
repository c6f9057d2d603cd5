/*---
rows = [17, 18]
attack = "module specifiers that lead out of the files of the request"
match = "^\\[\\]$"
---*/
const opened = [];
for (const s of ["/etc/passwd", "file:///etc/passwd", "../../../../etc/hostname", "./../../../../../../proc/self/environ", "http://127.0.0.1:@CANARY_PORT@/x.js", "https://esm.sh/x", "data:text/javascript,export default 1", "blob:x", "node:child_process", "node:net", "node:vm", "node:worker_threads", "node:http", "fs/../../x", "mayfly:host", "mayfly:primordials", "mayfly:main", "mayfly:run", "npm:x", "\0", "a\0b", "./\0.js", "node:../x", "lodash", "#internal", "node:", "NODE:FS", "host", "./%2e%2e/%2e%2e/etc/passwd"]) {
  for (const options of [undefined, { with: { type: "json" } }, { with: { type: "text" } }]) {
    try { await import(s, options); opened.push(s); } catch (e) { if (!(e instanceof Error)) opened.push("not an error: " + s); }
  }
}
opened;
