/*---
rows = [5]
attack = "recursion through builtins, each of which is a frame of the host's language"
match = "^\"\\d+ of 12\"$"
[request.limits]
cpu_ms = 8000
memory_mb = 128
---*/
const attempts = [
  () => { const f = (x) => [x].map(f); f(1); },
  () => { const f = (x) => "a".replace(/a/, f); f(1); },
  () => { const f = () => [2, 1].sort(f); f(); },
  () => { const o = { toString() { return "" + o; } }; o + ""; },
  () => { const o = { valueOf() { return +o; } }; +o; },
  () => { const o = { toJSON() { return JSON.stringify(o); } }; JSON.stringify(o); },
  () => { const f = () => JSON.parse("[1]", f); f(); },
  () => { class A { static [Symbol.hasInstance](x) { return x instanceof A; } } 1 instanceof A; },
  () => { const f = () => Reflect.construct(f2, []); function f2() { f(); } f(); },
  () => { let p = {}; for (let i = 0; i < 200000; i++) p = new Proxy(p, {}); p.x; p.x = 1; "x" in p; Object.keys(p); },
  () => { let f = () => 1; for (let i = 0; i < 200000; i++) f = Object.defineProperty(f.bind(null), "name", { value: "" }); f(); },
  () => { const it = { [Symbol.iterator]() { return [...it]; } }; [...it]; },
];
let n = 0;
for (const a of attempts) { try { a(); n++; } catch (e) { if (e === null || e instanceof Error) n++; } }
`${n} of ${attempts.length}`;
