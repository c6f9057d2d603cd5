/*---
rows = [2]
attack = "RSA keys with numbers that would take hours, or have no end"
value = '"OperationError"'
[request.limits]
cpu_ms = 1000
---*/
const names = new Set();
const e = new Uint8Array([1, 0, 1]);
for (const [modulusLength, publicExponent] of [
  [16384, e], [2 ** 32 - 1, e], [0, e], [2, e], [512, e], [2048, new Uint8Array(0)], [2048, new Uint8Array([1])], [2048, new Uint8Array([2])],
  [2048, new Uint8Array([1, 0, 0])], [2048, new Uint8Array(1 << 20).fill(255)],
]) {
  for (const name of ["RSA-PSS", "RSASSA-PKCS1-v1_5"]) {
    try {
      await crypto.subtle.generateKey({ name, modulusLength, publicExponent, hash: "SHA-256" }, true, ["sign"]);
      names.add("none");
    } catch (error) {
      names.add(error.name);
    }
  }
}
export default [...names].join();
