// Web Crypto beyond the Web Platform Tests: what they don't ask.
let passed = 0;
const failures = [];
const { subtle } = crypto;
function same(actual, expected, what) {
  if (JSON.stringify(actual) === JSON.stringify(expected)) passed++;
  else failures.push(`${what}: ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
}
async function rejects(promise, name, what) {
  try {
    failures.push(`${what}: no rejection but ${await promise}`);
  } catch (error) {
    same(error.name, name, `${what} (${error})`);
    if (!/TypeError/.test(name)) same(error instanceof DOMException, true, `${what} is a DOMException`);
  }
}
const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, "0")).join("");
const bytes = (text) => new TextEncoder().encode(text);

// ---- the order of checks: algorithm, usages, parameters, empty usages
await rejects(subtle.generateKey("AES-GCM", true, ["encrypt"]), "TypeError", "a parameter that is missing");
await rejects(subtle.generateKey({ name: "AES-GCM", length: 100 }, true, ["sign"]), "SyntaxError", "usages before the length");
await rejects(subtle.generateKey({ name: "AES-GCM", length: 100 }, true, []), "OperationError", "the length before empty usages");
await rejects(subtle.generateKey({ name: "AES-GCM", length: 2 ** 16 }, true, ["encrypt"]), "TypeError", "a length out of its range");
await rejects(subtle.generateKey({ name: "nonsense" }, true, ["nonsense"]), "TypeError", "usages that are none come first of all");
await rejects(subtle.generateKey({ name: "AE\u017f-GCM", length: 128 }, true, ["encrypt"]), "NotSupportedError", "a long s is no S");
await rejects(subtle.generateKey({ name: "\u212a" }, true, []), "NotSupportedError", "a Kelvin sign is no K");
await rejects(subtle.importKey("nonsense", new Uint8Array(16), "AES-GCM", true, ["encrypt"]), "TypeError", "a format that is none");
await rejects(subtle.importKey("raw", {}, "AES-GCM", true, ["encrypt"]), "TypeError", "a JWK as raw");
await rejects(subtle.importKey("jwk", new Uint8Array(16), "AES-GCM", true, ["encrypt"]), "TypeError", "bytes as a JWK");
await rejects(subtle.importKey("raw", new Uint8Array(15), "AES-GCM", true, ["encrypt"]), "DataError", "fifteen bytes");
await rejects(subtle.importKey("raw", new Uint8Array(16), "AES-GCM", true, []), "SyntaxError", "no usages");
await rejects(subtle.importKey("spki", new Uint8Array(16), "AES-GCM", true, ["encrypt"]), "NotSupportedError", "a format of others");
await rejects(subtle.encrypt("AES-CBC", 1, new Uint8Array(1)), "TypeError", "a key that is none");
await rejects(subtle.digest("SHA-256"), "TypeError", "too few arguments");
await rejects(subtle.digest("SHA-256", "text"), "TypeError", "text to digest");
await rejects(subtle.digest.call({}, "SHA-256", new Uint8Array(1)), "TypeError", "digest of something else");

// ---- keys
const aes = await subtle.importKey("raw", new Uint8Array(16), "aes-gcm", true, ["decrypt", "encrypt", "encrypt"]);
same([aes.type, aes.extractable, aes.algorithm, aes.usages], ["secret", true, { name: "AES-GCM", length: 128 }, ["encrypt", "decrypt"]], "a key");
same(aes.algorithm === aes.algorithm, true, "the same algorithm each time");
aes.algorithm.name = "AES-CBC";
await subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, aes, new Uint8Array(1)); // its own name is what counts
aes.usages.length = 0;
await subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, aes, new Uint8Array(1));
try {
  new CryptoKey();
  failures.push("a CryptoKey was constructed");
} catch (error) {
  same(error.name, "TypeError", "new CryptoKey()");
}
const secret = await subtle.importKey("raw", new Uint8Array(32), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
await rejects(subtle.exportKey("raw", secret), "InvalidAccessError", "a key that is not extractable");
const cloned = structuredClone({ secret }).secret;
same([cloned instanceof CryptoKey, cloned === secret, cloned.extractable, cloned.usages], [true, false, false, ["sign"]], "a clone");
same(hex(await subtle.sign("HMAC", cloned, bytes("x"))), hex(await subtle.sign("HMAC", secret, bytes("x"))), "a clone signs alike");
await rejects(subtle.exportKey("raw", cloned), "InvalidAccessError", "nor is a clone extractable");
same(JSON.stringify(Object.keys(secret)) + JSON.stringify(Reflect.ownKeys(secret).filter((k) => typeof k === "string")), "[][]", "nothing of a key is a property");

// ---- input is taken when a method is called
const data = bytes("what counts");
const early = subtle.sign("HMAC", secret, data);
data.fill(0);
same(hex(await early), hex(await subtle.sign("HMAC", secret, bytes("what counts"))), "bytes are copied");
for (const source of [bytes("abc").buffer, new DataView(bytes("xabcx").buffer, 1, 3), new Uint16Array(bytes("xxabcdxx").buffer, 2, 2)]) {
  const expected = source instanceof Uint16Array ? "abcd" : "abc";
  same(hex(await subtle.digest("SHA-1", source)), hex(await subtle.digest("SHA-1", bytes(expected))), "views");
}
same((await subtle.digest({ name: "sha-512" }, new Uint8Array(0))).byteLength, 64, "case does not matter");

// ---- JWK
const jwk = { kty: "oct", k: "AAAAAAAAAAAAAAAAAAAAAA", alg: "A128GCM", key_ops: ["encrypt", "decrypt"], ext: true };
await subtle.importKey("jwk", jwk, "AES-GCM", true, ["encrypt"]);
for (const [change, what] of [
  [{ alg: "A256GCM" }, "another alg"], [{ kty: "RSA" }, "another kty"], [{ k: undefined }, "no k"], [{ k: "A" }, "k that is none"], [{ use: "sig" }, "another use"],
  [{ key_ops: ["decrypt"] }, "other operations"], [{ key_ops: ["encrypt", "encrypt"] }, "operations twice"], [{ ext: false }, "ext"], [{ k: "AAAA" }, "a short k"],
]) await rejects(subtle.importKey("jwk", { ...jwk, ...change }, "AES-GCM", true, ["encrypt"]), "DataError", what);
await rejects(subtle.importKey("jwk", { ...jwk, key_ops: 1 }, "AES-GCM", true, ["encrypt"]), "TypeError", "operations that are no list");
const pair = await subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
same([pair.publicKey.extractable, pair.privateKey.extractable, pair.publicKey.usages, pair.privateKey.usages], [true, false, ["verify"], ["sign"]], "a pair");
const point = await subtle.exportKey("jwk", pair.publicKey);
same(Object.keys(point).sort(), ["crv", "ext", "key_ops", "kty", "x", "y"], "members");
await rejects(subtle.importKey("jwk", { ...point, y: point.x }, { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]), "DataError", "a point off the curve");
await rejects(subtle.importKey("jwk", point, { name: "ECDSA", namedCurve: "P-384" }, true, ["verify"]), "DataError", "another curve");
await rejects(subtle.importKey("jwk", { ...point, alg: "ES384" }, { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]), "DataError", "another curve's alg");

// ---- ciphers
const gcm = { name: "AES-GCM", iv: new Uint8Array(12), additionalData: bytes("more") };
for (const tagLength of [32, 64, 96, 104, 112, 120, 128]) {
  const sealed = await subtle.encrypt({ ...gcm, tagLength }, aes, bytes("secret"));
  same(sealed.byteLength, 6 + tagLength / 8, `a tag of ${tagLength} bits`);
  same(new TextDecoder().decode(await subtle.decrypt({ ...gcm, tagLength }, aes, sealed)), "secret", `opened with ${tagLength} bits`);
  new Uint8Array(sealed)[0] ^= 1;
  await rejects(subtle.decrypt({ ...gcm, tagLength }, aes, sealed), "OperationError", `altered, with ${tagLength} bits`);
}
await rejects(subtle.encrypt({ ...gcm, tagLength: 33 }, aes, bytes("x")), "OperationError", "an odd tag");
await rejects(subtle.encrypt({ ...gcm, tagLength: 256 }, aes, bytes("x")), "TypeError", "a tag past an octet");
await rejects(subtle.decrypt(gcm, aes, new Uint8Array(3)), "OperationError", "less than a tag");
const cbc = await subtle.importKey("raw", new Uint8Array(16), "AES-CBC", false, ["encrypt", "decrypt"]);
await rejects(subtle.encrypt({ name: "AES-CBC", iv: new Uint8Array(15) }, cbc, bytes("x")), "OperationError", "a short iv");
await rejects(subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, cbc, bytes("x")), "InvalidAccessError", "a key of another algorithm");

// ---- derivations
const password = await subtle.importKey("raw", bytes("password"), "PBKDF2", false, ["deriveBits", "deriveKey"]);
same(hex(await subtle.deriveBits({ name: "PBKDF2", hash: "SHA-1", salt: bytes("salt"), iterations: 4096 }, password, 160)), "4b007901b765489abead49d926f721d065a429c1", "RFC 6070");
await rejects(subtle.deriveBits({ name: "PBKDF2", hash: "SHA-1", salt: bytes("salt"), iterations: 0 }, password, 160), "OperationError", "no iterations");
await rejects(subtle.deriveBits({ name: "PBKDF2", hash: "SHA-1", salt: bytes("salt"), iterations: 2 ** 32 }, password, 160), "TypeError", "iterations out of range");
await rejects(subtle.deriveBits({ name: "PBKDF2", hash: "SHA-1", salt: bytes("salt"), iterations: 1 }, password, 12), "OperationError", "no whole bytes");
await rejects(subtle.importKey("raw", bytes("password"), "PBKDF2", true, ["deriveBits"]), "SyntaxError", "an extractable password");
const derived = await subtle.deriveKey({ name: "PBKDF2", hash: "SHA-256", salt: bytes("salt"), iterations: 1 }, password, { name: "HMAC", hash: "SHA-384" }, true, ["sign"]);
same([derived.algorithm.length, derived.algorithm.hash.name], [1024, "SHA-384"], "a derived key has the length of a block");

// ---- signatures of RSA with any length of salt
const rsa = await subtle.generateKey({ name: "RSA-PSS", modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" }, true, ["sign", "verify"]);
same([rsa.publicKey.algorithm.modulusLength, hex(rsa.publicKey.algorithm.publicExponent), rsa.publicKey.algorithm.hash], [1024, "010001", { name: "SHA-256" }], "its algorithm");
for (const saltLength of [0, 1, 32, 94]) {
  const signature = await subtle.sign({ name: "RSA-PSS", saltLength }, rsa.privateKey, bytes("x"));
  same(await subtle.verify({ name: "RSA-PSS", saltLength }, rsa.publicKey, signature, bytes("x")), true, `salt ${saltLength}`);
  same(await subtle.verify({ name: "RSA-PSS", saltLength: 2 }, rsa.publicKey, signature, bytes("x")), false, `salt ${saltLength} is not 2`);
}
await rejects(subtle.sign({ name: "RSA-PSS", saltLength: 95 }, rsa.privateKey, bytes("x")), "OperationError", "too long a salt");
await rejects(subtle.sign({ name: "RSA-PSS", saltLength: 32 }, rsa.publicKey, bytes("x")), "InvalidAccessError", "signing with a public key");

// ---- what workers add
same(subtle.timingSafeEqual(bytes("abc"), bytes("abc").buffer), true, "timingSafeEqual");
same(subtle.timingSafeEqual(bytes("abc"), bytes("abd")), false, "timingSafeEqual");
try {
  subtle.timingSafeEqual(bytes("a"), bytes("ab"));
  failures.push("different lengths were compared");
} catch (error) {
  same(error.name, "TypeError", "different lengths");
}
same(hex(await subtle.digest("MD5", bytes("abc"))), "900150983cd24fb0d6963f7d28e17f72", "MD5");
const stream = new crypto.DigestStream("SHA-256");
same(stream instanceof WritableStream, true, "DigestStream");
await new Response("a".repeat(100_000) + "b").body.pipeTo(stream);
same(hex(await stream.digest), hex(await subtle.digest("SHA-256", bytes("a".repeat(100_000) + "b"))), "its digest");
same(String(stream.bytesWritten), "100001", "bytesWritten");
const odd = new crypto.DigestStream("SHA-1");
const writer = odd.getWriter();
await rejects(writer.write(1), "TypeError", "a number into a DigestStream");
await rejects(odd.digest, "TypeError", "its digest fails, too");
try {
  new crypto.DigestStream("nonsense");
  failures.push("a DigestStream of nonsense");
} catch (error) {
  same(error.name, "NotSupportedError", "a DigestStream of nonsense");
}

// ---- under pollution: programs may replace what they like
const { iterator } = Symbol;
const arrayIterator = Array.prototype[iterator];
Object.prototype.length = 7;
Object.prototype.iv = "polluted";
Uint8Array.prototype.slice = Uint8Array.prototype.subarray = Uint8Array.prototype.set = () => { throw new Error("polluted"); };
globalThis.Uint8Array = class {};
Promise.prototype.then = new Proxy(Promise.prototype.then, {});
const after = await subtle.encrypt({ name: "AES-GCM", iv: data }, aes, data);
const kept = await subtle.exportKey("jwk", aes);
delete Object.prototype.length;
delete Object.prototype.iv;
same([after.byteLength, kept.k, arrayIterator === Array.prototype[iterator]], [27, "AAAAAAAAAAAAAAAAAAAAAA", true], "under pollution");

for (const failure of failures) console.error(failure);
console.log(`${failures.length} failed, ${passed > 120 ? "all others passed" : `only ${passed} passed`}`);
