/*---
rows = [17, 18]
attack = "module specifiers that lead out of the files of the request"
match = "^\\[\\]$"
---*/
const opened = [];
for (const s of ["/etc/passwd", "file:///etc/passwd", "../../../../etc/hostname", "./../../../../../../proc/self/environ", "http://127.0.0.1:@CANARY_PORT@/x.js", "https://esm.sh/x", "data:text/javascript,export default 1", "blob:x", "fs/../../x", "mayfly:host", "mayfly:primordials", "mayfly:main", "mayfly:run", "npm:x", "\0", "a\0b", "./\0.js", "node:../x", "lodash", "#internal", "node:", "NODE:FS", "host", "./%2e%2e/%2e%2e/etc/passwd"]) {
  for (const options of [undefined, { with: { type: "json" } }, { with: { type: "text" } }]) {
    try { await import(s, options); opened.push(s); } catch (e) { if (!(e instanceof Error)) opened.push("not an error: " + s); }
  }
}
// These are there by name alone.
const { default: child } = await import("node:child_process");
const { default: net } = await import("node:net");
const { default: threads } = await import("node:worker_threads");
const { default: http } = await import("node:http");
const { default: vm } = await import("node:vm");
for (const [name, use] of Object.entries({
  spawn: () => child.spawn("id"), exec: () => child.exec("id", () => {}), execSync: () => child.execSync("id"), fork: () => child.fork("x.js"), spawnSync: () => child.spawnSync("id"),
  connect: () => net.connect(@CANARY_PORT@, "127.0.0.1"), listen: () => http.createServer(() => {}).listen(0), thread: () => new threads.Worker("x.js"),
  vm: () => vm.runInThisContext("1"), context: () => vm.runInNewContext("1"), script: () => new vm.Script("1").runInThisContext(),
})) {
  try { use(); opened.push(name); } catch (e) { if (!(e instanceof Error)) opened.push("not an error: " + name); }
}
opened;
