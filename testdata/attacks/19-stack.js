/*---
rows = [19, 20]
attack = "Error.prepareStackTrace, Error.captureStackTrace and frames: no object of the inside may come through them"
match = "^\"safe"
---*/
const got = [];
Error.prepareStackTrace = (e, frames) => { for (const f of frames ?? []) for (const m of ["getThis", "getFunction", "getEvalOrigin"]) { try { const v = f[m]?.(); if (v !== undefined && v !== globalThis && v !== null) got.push(m); } catch {} } return "own"; };
setTimeout(() => { new Error("x").stack; }, 0);
await new Promise((r) => setTimeout(r, 5));
try { structuredClone(() => {}); } catch (e) { e.stack; }
try { await fetch("http://h/"); } catch (e) { e.stack; }
try { [1].sort(() => { throw new Error("in"); }); } catch (e) { e.stack; }
const o = {}; Error.captureStackTrace?.(o); o.stack;
const f = () => arguments?.callee; try { f(); } catch {}
if (got.length) throw new Error(got.join());
"safe";
