/*---
rows = [20]
attack = "buffers detached, resized and transferred in the middle of operations on them: use after free"
match = "^\"survived \\d+\"$"
[request.limits]
cpu_ms = 8000
---*/
let n = 0;
const attempt = (f) => { try { f(); } catch {} n++; };
const detach = (b) => { try { structuredClone(b, { transfer: [b] }); } catch {} };
for (let i = 0; i < 200; i++) {
  const b = new ArrayBuffer(64, { maxByteLength: 4096 }), u = new Uint8Array(b), trap = { valueOf() { detach(b); return 1; }, toString() { detach(b); return "x"; } };
  const pick = [() => u.fill(trap, 0), () => u.set([trap, trap, 3]), () => u.copyWithin(trap, 0, 64), () => u.sort(() => { detach(b); return 1; }), () => u.map(() => { detach(b); return 7; }), () => u.subarray(trap, 9), () => u.at(trap), () => u.with(trap, 2), () => u.indexOf(1, trap), () => u.includes(undefined, trap), () => u.join({ toString() { detach(b); return ","; } }), () => new DataView(b).setFloat64(trap, 1), () => new Uint8Array(b, trap), () => b.slice(trap), () => b.resize({ valueOf() { detach(b); return 128; } }), () => b.transfer({ valueOf() { detach(b); return 1 << 20; } }), () => new TextDecoder().decode(u, { get stream() { detach(b); return false; } }), () => new TextEncoder().encodeInto({ toString() { detach(b); return "text"; } }, u), () => crypto.getRandomValues(u.subarray(0, 8)), () => new Blob([{ toString() { detach(b); return "x"; } }, u, b]), () => structuredClone({ get a() { detach(b); return u; }, u, b }), () => structuredClone([u], { transfer: { [Symbol.iterator]: function* () { detach(b); yield b; } } }), () => { b.resize(4096); u[4000] = 1; b.resize(8); u[4000]; u.length; }, () => Atomics?.store?.(u, trap, 1), () => new Response(u).arrayBuffer().then(() => {}, () => {}), () => u.toLocaleString(), () => Array.from(u, () => detach(b)), () => u.filter(() => { b.resize?.(4); return true; })];
  attempt(pick[i % pick.length]);
}
await crypto.subtle.digest("SHA-1", new Uint8Array(8));
`survived ${n}`;
