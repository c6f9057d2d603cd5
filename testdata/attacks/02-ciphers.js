/*---
rows = [2]
attack = "host operations that work: ciphers of megabytes, signatures, exchanges of keys"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 200
---*/
const usages = ["encrypt", "decrypt"];
const data = new Uint8Array(8 << 20);
const gcm = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, usages);
const ctr = await crypto.subtle.generateKey({ name: "AES-CTR", length: 256 }, false, usages);
const signing = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-521" }, false, ["sign", "verify"]);
const exchange = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-521" }, false, ["deriveBits"]);
for (;;) {
  await crypto.subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(100), tagLength: 32 }, gcm, data);
  await crypto.subtle.encrypt({ name: "AES-CTR", counter: new Uint8Array(16), length: 1 + 63 }, ctr, data);
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-512" }, signing.privateKey, data);
  await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-512" }, signing.publicKey, signature, data);
  await crypto.subtle.deriveBits({ name: "ECDH", public: exchange.publicKey }, exchange.privateKey, 528);
}
