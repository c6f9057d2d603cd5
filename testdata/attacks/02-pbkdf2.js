/*---
rows = [2]
attack = "host operations that work: a key derivation of billions of iterations"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 100
---*/
const key = await crypto.subtle.importKey("raw", new Uint8Array(16), "PBKDF2", false, ["deriveBits"]);
try {
  await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-512", salt: new Uint8Array(16), iterations: 2 ** 31 }, key, 512);
} catch {}
for (;;) {}
