/*---
rows = [6, 7]
attack = "a thousand and more operations of bindings at once, and bodies that nobody reads"
value = '[1500,true]'
[request.bindings.KV]
type = "kv_namespace"
namespace = "many"
---*/
await env.KV.put("large", new Uint8Array(300_000));
const results = await Promise.allSettled(Array.from({ length: 1500 }, (_, i) => env.KV.get(`k${i}`)));
let open = 0;
const streams = [];
try {
  for (; open < 1000; open++) streams.push(await env.KV.get("large", "stream"));
} catch {}
[results.length, open > 10 && open < 1000]
