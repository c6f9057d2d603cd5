/*---
rows = [2]
attack = "host operations that work: digests of megabytes, random bytes"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 100
---*/
const b = new Uint8Array(4 << 20);
for (;;) { await crypto.subtle.digest("SHA-512", b); crypto.getRandomValues(new Uint8Array(65536)); }
