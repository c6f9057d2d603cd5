/*---
rows = [20]
attack = "stream algorithms that re-enter: controllers used after their end, locks taken twice, readers of other streams"
match = "^\"survived\"$"
[request.limits]
cpu_ms = 5000
wall_ms = 5000
---*/
let c0; const s = new ReadableStream({ type: "bytes", start(c) { c0 = c; }, pull(c) { const r = c.byobRequest; if (r) { const v = r.view; try { r.respond(v.byteLength + 1); } catch {} try { structuredClone(v.buffer, { transfer: [v.buffer] }); } catch {} try { r.respond(1); } catch {} try { r.respondWithNewView(new Uint8Array(1)); } catch {} } try { c.close(); } catch {} } });
const r = s.getReader({ mode: "byob" });
r.read(new Uint8Array(8)).catch(() => {});
for (const f of [() => c0.enqueue(new Uint8Array(0)), () => c0.close(), () => c0.enqueue(new Uint8Array(1)), () => c0.error(1), () => s.getReader(), () => r.releaseLock(), () => r.releaseLock(), () => r.read(new Uint8Array(1)).catch(() => {}), () => s.tee(), () => s.cancel().catch(() => {})]) { try { f(); } catch {} }
const t = new TransformStream({ transform(x, c) { c.terminate(); c.enqueue(x); }, flush(c) { c.error(1); } });
const w = t.writable.getWriter(); w.write(1).catch(() => {}); w.close().catch(() => {}); w.abort().catch(() => {}); w.closed.catch(() => {}); w.ready.catch(() => {});
t.readable.getReader().read().catch(() => {});
const self = new TransformStream(); self.readable.pipeTo(self.writable).catch(() => {});
const forged = Object.create(ReadableStreamDefaultController.prototype); for (const k of ["enqueue", "close", "error"]) { try { forged[k](1); } catch {} }
await new Promise((r) => setTimeout(r, 20));
"survived";
