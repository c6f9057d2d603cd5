/*---
rows = [5]
attack = "recursion without an end: an error that code can catch, again and again, and go on after"
value = '"caught 20 and 42"'
[request.limits]
cpu_ms = 5000
---*/
let caught = 0;
const f = () => f() + 1, g = (...a) => g(...a, 1), o = { get x() { return this.x; } }, p = new Proxy({}, { get: (t, k, r) => r[k] });
for (let i = 0; i < 5; i++) for (const attempt of [f, () => g(), () => o.x, () => p.x]) { try { attempt(); } catch (e) { if (e instanceof RangeError || e instanceof Error) caught++; } }
`caught ${caught} and ${[6, 7].map((x) => x).reduce((a, b) => a * b)}`;
