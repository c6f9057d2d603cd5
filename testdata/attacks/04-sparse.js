/*---
rows = [4, 20]
attack = "sparse and huge lengths and indices"
outcomes = ["ok", "exceededCpu"]
[request.limits]
memory_mb = 64
cpu_ms = 300
---*/
const a = [];
a[4294967294] = 1; a.length = 7; a.length = 4294967295;
try { a.push(1); } catch {}
try { a.concat(a, a); } catch {}
try { new Uint32Array(2 ** 30); } catch {}
try { new Float64Array({ length: 2 ** 40 }); } catch {}
try { Array.from({ length: 2 ** 32 }); } catch {}
try { Reflect.apply(Math.max, null, { length: 2 ** 31 }); } catch {}
try { new DataView(new ArrayBuffer(8), 4294967295); } catch {}
"survived " + a.length;
