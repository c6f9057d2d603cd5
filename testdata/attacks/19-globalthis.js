/*---
rows = [19, 20]
attack = "a search for anything internal: all that is reachable from the global object, by properties, prototypes, getters and functions"
match = "^\\[\\]$"
[request.limits]
cpu_ms = 10000
memory_mb = 200
---*/
const seen = new Set(), found = [], queue = [[globalThis, "globalThis"], [(await import("node:fs")), "fs"], [(await import("node:path")), "path"], [(async () => {}).constructor, "AsyncFunction"], [(function* () {})().constructor, "G"]];
while (queue.length && seen.size < 60000) {
  const [o, path] = queue.shift();
  if (o === null || (typeof o !== "object" && typeof o !== "function") || seen.has(o)) continue;
  seen.add(o);
  let keys; try { keys = Reflect.ownKeys(o); } catch { continue; }
  for (const k of keys) {
    const name = path + "." + String(k);
    if (/primordial|__host|mayflyHost|hostCall|internalBinding|callHost|startOp|op_|rawCall/i.test(String(k))) found.push(name);
    let d; try { d = Reflect.getOwnPropertyDescriptor(o, k); } catch { continue; }
    for (const v of [d?.value, d?.get, d?.set]) queue.push([v, name]);
    if (d?.get) { try { const v = d.get.call(o); if (v instanceof Promise) v.catch(() => {}); queue.push([v, name]); } catch {} }
  }
  try { queue.push([Reflect.getPrototypeOf(o), path + ".__proto__"]); } catch {}
}
for (const n of ["std", "os", "bjson", "scriptArgs", "print", "gc", "__loadScript", "Worker", "SharedArrayBuffer", "Atomics", "module", "Deno", "Bun"]) if (typeof globalThis[n] !== "undefined" && !["SharedArrayBuffer", "Atomics"].includes(n)) found.push(n);
found;
