/*---
rows = [2]
attack = "host operations that work: RSA keys of the longest modulus, one after the other"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 100
---*/
const algorithm = { name: "RSA-PSS", modulusLength: 4096, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" };
for (;;) await Promise.allSettled([crypto.subtle.generateKey(algorithm, true, ["sign"]), crypto.subtle.generateKey(algorithm, true, ["sign"])]);
