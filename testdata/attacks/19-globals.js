/*---
rows = [19]
attack = "the globals that glue might use, replaced, frozen and deleted"
value = '{"ok":true,"text":"bödy","size":4}'
---*/
const { defineProperty, getOwnPropertyNames } = Object, { stringify } = JSON;
const { Response, TextEncoder, Blob, setTimeout } = globalThis;
const keep = new Set(["globalThis", "undefined", "NaN", "Infinity", "Promise", "console", "Object", "Number"]);
for (const n of getOwnPropertyNames(globalThis)) if (!keep.has(n)) { try { globalThis[n] = function () { throw new Error("polluted " + n); }; } catch {} try { delete globalThis[n]; } catch {} }
for (const n of getOwnPropertyNames(globalThis)) if (!keep.has(n)) { try { defineProperty(globalThis, n, { get() { throw new Error("polluted " + n); } }); } catch {} }
console.log("still", { a: [1, new Response("x")] });
await new Promise((r) => setTimeout(r, 1));
const text = await new Response(new Blob([new TextEncoder().encode("bödy")])).text();
({ ok: true, text, size: text.length });
