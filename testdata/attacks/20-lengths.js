/*---
rows = [20]
attack = "numbers at the edge where host calls and typed arrays take lengths, offsets, handles and ids"
match = "^\"survived \\d+\"$"
[request.limits]
cpu_ms = 8000
wall_ms = 10000
operations = 2000
---*/
import fs from "node:fs";
let n = 0;
const edges = [-1, 0, 1, 255, 65535, 65536, 65537, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 1e308, -1e308, Infinity, -Infinity, NaN, "1e3", 1n];
const attempt = (f) => { try { const r = f(); if (r instanceof Promise) r.catch(() => {}); } catch {} n++; };
for (const e of edges) {
  for (const f of [() => clearTimeout(e), () => clearInterval(e), () => clearTimeout(setTimeout(() => {}, -e)), () => crypto.getRandomValues(new Uint8Array(e)), () => new Uint8Array(8).subarray(e, e), () => new Blob(["x"]).slice(e, e), () => fs.readFileSync(e), () => fs.writeFileSync(e, "x"), () => fs.writeFileSync("/tmp/x", e), () => fs.truncateSync?.("/tmp/x", e), () => fs.writeFileSync("/tmp/x", "x", { mode: e, flag: e }), () => fs.openSync?.("/tmp/x", e), () => fs.closeSync?.(e), () => fs.readSync?.(e, new Uint8Array(8), e, e, e), () => process.exitCode = e, () => new ReadableStream({ pull() {} }, { highWaterMark: e }), () => new Response("", { status: e }), () => String.fromCodePoint(e), () => new Uint8Array(new ArrayBuffer(8), e, e), () => new TextEncoder().encodeInto("xx", new Uint8Array(4).subarray(0, 2)), () => performance.now(e), () => structuredClone(e), () => atob(String(e)), () => Response.redirect("http://h", e), () => new ReadableStream({ type: "bytes", autoAllocateChunkSize: e }), () => queueMicrotask(e), () => new Date(e).toISOString()]) attempt(f);
}
process.exitCode = 0;
export default `survived ${n}`;
