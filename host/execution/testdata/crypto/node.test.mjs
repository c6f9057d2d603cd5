// node:crypto: known answers, round trips, errors. Runs in node 20, too.
import crypto, { createHash, webcrypto } from "node:crypto";
import { Buffer } from "node:buffer";
import { promisify, types } from "node:util";

let passed = 0;
const failures = [];
const show = (v) => (typeof v === "bigint" ? `${v}n` : v instanceof Uint8Array ? Buffer.from(v).toString("hex") : v === undefined ? "undefined" : JSON.stringify(v, (_, x) => (typeof x === "bigint" ? `${x}n` : x)));
function same(actual, expected, what) {
  if (show(actual) === show(expected)) passed++;
  else failures.push(`${what}: ${show(actual)}, not ${show(expected)}`);
}
function throws(f, wanted, what = f.toString()) {
  try {
    failures.push(`${what}: no error but ${show(f())}`);
  } catch (error) {
    for (const key of Object.keys(wanted)) same(error[key], wanted[key], `${what}: ${key} of ${error}`);
  }
}
const hex = (text) => Buffer.from(text, "hex");

// ---- hashes (FIPS 180-4, RFC 1321, FIPS 202, RFC 4231)
same(createHash("sha256").update("abc").digest("hex"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "sha256");
same(createHash("SHA256").update("a").update(Buffer.from("bc")).digest("base64"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", "SHA256");
same(createHash("RSA-SHA1").update("abc").digest("hex"), "a9993e364706816aba3e25717850c26c9cd0d89d", "RSA-SHA1");
same(createHash("md5").update("abc").digest("hex"), "900150983cd24fb0d6963f7d28e17f72", "md5");
same(createHash("sha3-256").update("abc").digest("hex"), "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532", "sha3-256");
same(createHash("sha512-256").update("abc").digest("hex"), "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23", "sha512-256");
same(createHash("sha256").update("616263", "hex").digest().toString("latin1").length, 32, "digest as a Buffer");
same(Buffer.isBuffer(createHash("sha256").digest()), true, "Buffer");
{
  const big = Buffer.alloc(200_000, "x");
  const parts = createHash("sha512");
  for (let i = 0; i < big.length; i += 7777) parts.update(big.subarray(i, i + 7777));
  same(parts.copy().digest("hex"), createHash("sha512").update(big).digest("hex"), "in parts");
  const branch = parts.copy().update("more");
  same(branch.digest("hex"), createHash("sha512").update(big).update("more").digest("hex"), "a copy goes its own way");
  same(parts.digest("hex"), createHash("sha512").update(big).digest("hex"), "the original too");
}
same(crypto.createHmac("sha256", Buffer.alloc(20, 0x0b)).update("Hi There").digest("hex"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", "hmac");
same(crypto.createHmac("sha512", "k".repeat(300)).update("x").digest("hex").slice(0, 32), crypto.createHmac("sha512", crypto.createSecretKey(Buffer.from("k".repeat(300)))).update("x").digest("hex").slice(0, 32), "hmac by KeyObject");
throws(() => createHash("nonsense"), { message: "Digest method not supported" });
throws(() => createHash(1), { code: "ERR_INVALID_ARG_TYPE", name: "TypeError" });
throws(() => createHash("sha1").update(1), { code: "ERR_INVALID_ARG_TYPE" });
throws(() => crypto.createHmac("nonsense", "k"), { code: "ERR_CRYPTO_INVALID_DIGEST", message: "Invalid digest: nonsense" });
throws(() => crypto.createHmac("sha1"), { code: "ERR_INVALID_ARG_TYPE" });
throws(() => { const h = createHash("sha1"); h.digest(); h.update("x"); }, { code: "ERR_CRYPTO_HASH_FINALIZED", message: "Digest already called" });
throws(() => { const h = createHash("sha1"); h.digest(); h.digest(); }, { code: "ERR_CRYPTO_HASH_FINALIZED" });
same(crypto.getHashes().includes("sha256") && crypto.getHashes().includes("RSA-SHA512"), true, "getHashes");
{
  const stream = createHash("sha256");
  const done = new Promise((resolve) => stream.on("data", resolve));
  stream.write("a");
  stream.end("bc");
  same((await done).toString("hex"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "a hash as a stream");
  const read = createHash("sha1");
  read.end("abc");
  await new Promise((resolve) => read.once("readable", resolve));
  same(read.read().toString("hex"), "a9993e364706816aba3e25717850c26c9cd0d89d", "a hash that is read");
}

// ---- random numbers
same(crypto.randomBytes(10).length, 10, "randomBytes");
same((await promisify(crypto.randomBytes)(100_000)).length, 100_000, "randomBytes, later");
same(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()), true, "randomUUID");
for (let i = 0; i < 100; i++) {
  const n = crypto.randomInt(-3, 4);
  if (!(n >= -3 && n < 4 && Number.isInteger(n))) failures.push(`randomInt: ${n}`);
}
same(crypto.randomInt(1), 0, "randomInt(1)");
same(await promisify(crypto.randomInt)(5, 6), 5, "randomInt, later");
throws(() => crypto.randomInt(0), { code: "ERR_OUT_OF_RANGE" });
throws(() => crypto.randomInt(2 ** 60), { code: "ERR_INVALID_ARG_TYPE" });
throws(() => crypto.randomBytes(-1), { code: "ERR_OUT_OF_RANGE" });
throws(() => crypto.randomBytes("1"), { code: "ERR_INVALID_ARG_TYPE" });
{
  const words = crypto.randomFillSync(new Uint32Array(4), 1, 2);
  same([words[0], words[3], words[1] + words[2] > 0], [0, 0, true], "randomFillSync");
  throws(() => crypto.randomFillSync(new Uint8Array(4), 5), { code: "ERR_OUT_OF_RANGE" });
  throws(() => crypto.randomFillSync(new Uint8Array(4), 1, 4), { code: "ERR_OUT_OF_RANGE" });
  same((await promisify(crypto.randomFill)(Buffer.alloc(3))).length, 3, "randomFill");
}
same(crypto.timingSafeEqual(Buffer.from("abc"), new Uint8Array([97, 98, 99])), true, "timingSafeEqual");
same(crypto.timingSafeEqual(Buffer.from("abc"), Buffer.from("abd")), false, "timingSafeEqual");
throws(() => crypto.timingSafeEqual(Buffer.alloc(1), Buffer.alloc(2)), { code: "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH", name: "RangeError" });
throws(() => crypto.timingSafeEqual("a", Buffer.alloc(1)), { code: "ERR_INVALID_ARG_TYPE" });

// ---- derivations (RFC 6070, RFC 7914, RFC 5869)
same(crypto.pbkdf2Sync("password", "salt", 4096, 20, "sha1").toString("hex"), "4b007901b765489abead49d926f721d065a429c1", "pbkdf2Sync");
same((await promisify(crypto.pbkdf2)("password", "salt", 1, 20, "sha1")).toString("hex"), "0c60c80f961f0e71f3a9b524af6012062fe037a6", "pbkdf2");
throws(() => crypto.pbkdf2Sync("p", "s", 0, 20, "sha1"), { code: "ERR_OUT_OF_RANGE" });
throws(() => crypto.pbkdf2Sync("p", "s", 1, 20, "nonsense"), { code: "ERR_CRYPTO_INVALID_DIGEST" });
throws(() => crypto.pbkdf2Sync("p", "s", 1, 20), { code: "ERR_INVALID_ARG_TYPE" });
same(crypto.scryptSync("", "", 64, { N: 16, r: 1, p: 1 }).toString("hex").slice(0, 32), "77d6576238657b203b19ca42c18a0497", "scryptSync");
same((await promisify(crypto.scrypt)("pleaseletmein", "SodiumChloride", 64)).toString("hex").slice(0, 32), "7023bdcb3afd7348461c06cd81fd38eb", "scrypt");
throws(() => crypto.scryptSync("p", "s", 64, { N: 15 }), { code: "ERR_CRYPTO_INVALID_SCRYPT_PARAMS" });
throws(() => crypto.scryptSync("p", "s", 64, { N: 2 ** 16 }), { code: "ERR_CRYPTO_INVALID_SCRYPT_PARAMS" });
{
  const derived = crypto.hkdfSync("sha256", hex("0b".repeat(22)), hex("000102030405060708090a0b0c"), hex("f0f1f2f3f4f5f6f7f8f9"), 42);
  same(derived instanceof ArrayBuffer, true, "hkdfSync answers an ArrayBuffer");
  same(Buffer.from(derived).toString("hex"), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865", "hkdfSync");
  same((await promisify(crypto.hkdf)("sha512", "k", "s", "i", 10)).byteLength, 10, "hkdf");
  throws(() => crypto.hkdfSync("sha256", "k", "s", "i", 255 * 32 + 1), { code: "ERR_CRYPTO_INVALID_KEYLEN" });
}

// ---- ciphers
function through(cipher, parts) {
  return Buffer.concat([...parts.map((part) => cipher.update(part)), cipher.final()]);
}
const text = Buffer.from("The quick brown fox jumps over the lazy dog. ".repeat(9));
for (const name of ["aes-128-cbc", "aes-256-cbc", "aes-192-ctr", "aes-256-ctr", "aes-128-gcm", "AES-256-GCM", "aes-128-ecb", "aes256", "id-aes128-GCM"]) {
  const { keyLength, mode } = crypto.getCipherInfo(name);
  const key = Buffer.alloc(keyLength, 7);
  for (const ivLength of mode === "gcm" ? [12, 16, 5] : mode === "ecb" ? [0] : [16]) {
    const iv = mode === "ecb" ? null : Buffer.alloc(ivLength, 0xff); // a counter that carries
    const seal = (parts) => {
      const cipher = crypto.createCipheriv(name, key, iv);
      if (mode === "gcm") cipher.setAAD(Buffer.from("more"));
      const out = through(cipher, parts);
      return { out, tag: mode === "gcm" ? cipher.getAuthTag() : undefined };
    };
    const whole = seal([text]);
    for (const cuts of [[0, 1, 2], [15, 16, 17, 33], [100, 100, 399], [16, 32, 48]]) {
      const parts = cuts.map((at, i) => text.subarray(at, cuts[i + 1]));
      parts.unshift(text.subarray(0, cuts[0]));
      const cut = seal(parts);
      same([cut.out, cut.tag].map(show), [whole.out, whole.tag].map(show), `${name} in parts ${cuts}`);
      const decipher = crypto.createDecipheriv(name, key, iv);
      if (mode === "gcm") {
        decipher.setAAD(Buffer.from("more"));
        decipher.setAuthTag(whole.tag);
      }
      same(through(decipher, cuts.map((at, i) => whole.out.subarray(i ? at : 0, cuts[i + 1]))).toString(), text.toString(), `${name} back in parts ${cuts}`);
    }
  }
}
same(crypto.createCipheriv("aes-128-cbc", hex("2b7e151628aed2a6abf7158809cf4f3c"), hex("000102030405060708090a0b0c0d0e0f")).update("6bc1bee22e409f96e93d7e117393172a", "hex", "hex"),
  "7649abac8119b246cee98e9b12e9197d", "SP 800-38A, F.2.1");
{
  const wrap = crypto.createCipheriv("aes128-wrap", hex("000102030405060708090a0b0c0d0e0f"), Buffer.alloc(8, 0xa6));
  same(wrap.update("00112233445566778899aabbccddeeff", "hex", "hex"), "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5", "RFC 3394, 4.1");
  const unwrap = crypto.createDecipheriv("aes128-wrap", hex("000102030405060708090a0b0c0d0e0f"), Buffer.alloc(8, 0xa6));
  same(unwrap.update("1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5", "hex", "hex"), "00112233445566778899aabbccddeeff", "unwrapped");
}
{
  const key = Buffer.alloc(16), iv = Buffer.alloc(12);
  const cipher = crypto.createCipheriv("aes-128-gcm", key, iv, { authTagLength: 12 });
  const sealed = cipher.update("secret", "utf8", "hex") + cipher.final("hex");
  same(cipher.getAuthTag().length, 12, "a short tag");
  const wrong = crypto.createDecipheriv("aes-128-gcm", key, iv, { authTagLength: 12 });
  wrong.setAuthTag(Buffer.alloc(12));
  wrong.update(sealed, "hex");
  throws(() => wrong.final(), { message: "Unsupported state or unable to authenticate data" }, "a wrong tag");
  throws(() => crypto.createDecipheriv("aes-128-gcm", key, iv).final(), { message: "Unsupported state or unable to authenticate data" });
  throws(() => crypto.createDecipheriv("aes-128-gcm", key, iv).setAuthTag(Buffer.alloc(3)), { code: "ERR_CRYPTO_INVALID_AUTH_TAG" });
  throws(() => crypto.createCipheriv("aes-128-gcm", key, iv).getAuthTag(), { code: "ERR_CRYPTO_INVALID_STATE" });
  throws(() => crypto.createCipheriv("aes-128-gcm", Buffer.alloc(15), iv), { code: "ERR_CRYPTO_INVALID_KEYLEN" });
  throws(() => crypto.createCipheriv("aes-128-cbc", key, iv), { code: "ERR_CRYPTO_INVALID_IV" });
  throws(() => crypto.createCipheriv("nonsense", key, iv), { code: "ERR_CRYPTO_UNKNOWN_CIPHER" });
  const cbc = crypto.createDecipheriv("aes-128-cbc", key, Buffer.alloc(16));
  cbc.update(Buffer.alloc(16));
  throws(() => cbc.final(), { code: "ERR_OSSL_BAD_DECRYPT" }, "a wrong padding");
  const short = crypto.createDecipheriv("aes-128-cbc", key, Buffer.alloc(16));
  short.update(Buffer.alloc(15));
  throws(() => short.final(), { code: "ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH" }, "no whole block");
  const raw = crypto.createCipheriv("aes-128-cbc", key, Buffer.alloc(16)).setAutoPadding(false);
  same(raw.update(Buffer.alloc(16)).length + raw.final().length, 16, "without a padding");
  const stream = crypto.createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  const chunks = [];
  stream.on("data", (chunk) => chunks.push(chunk));
  const ended = new Promise((resolve) => stream.on("end", resolve));
  stream.write("hello ");
  stream.end("world");
  await ended;
  const back = crypto.createDecipheriv("aes-128-ctr", key, Buffer.alloc(16));
  same(back.update(Buffer.concat(chunks)).toString(), "hello world", "a cipher as a stream");
}

// ---- keys and signatures
const pem = (type) => ({ type, format: "pem" });
for (const [type, options, publicType, privateTypes] of [
  ["rsa", { modulusLength: 1024 }, ["spki", "pkcs1"], ["pkcs8", "pkcs1"]], ["ec", { namedCurve: "P-256" }, ["spki"], ["pkcs8", "sec1"]],
  ["ec", { namedCurve: "secp521r1" }, ["spki"], ["pkcs8", "sec1"]], ["ed25519", {}, ["spki"], ["pkcs8"]], ["x25519", {}, ["spki"], ["pkcs8"]],
]) {
  const { publicKey, privateKey } = crypto.generateKeyPairSync(type, options);
  same([publicKey.type, privateKey.type, publicKey.asymmetricKeyType], ["public", "private", type], `${type} keys`);
  for (const format of ["pem", "der"]) {
    for (const encoding of publicType) same(crypto.createPublicKey({ key: publicKey.export({ type: encoding, format }), format, type: encoding }).equals(publicKey), true, `${type} ${encoding} ${format}`);
    for (const encoding of privateTypes) same(crypto.createPrivateKey({ key: privateKey.export({ type: encoding, format }), format, type: encoding }).equals(privateKey), true, `${type} ${encoding} ${format}`);
  }
  same(crypto.createPrivateKey({ key: privateKey.export({ format: "jwk" }), format: "jwk" }).equals(privateKey), true, `${type} jwk`);
  same(crypto.createPublicKey({ key: publicKey.export({ format: "jwk" }), format: "jwk" }).equals(publicKey), true, `${type} public jwk`);
  same(crypto.createPublicKey({ key: privateKey.export({ format: "jwk" }), format: "jwk" }).equals(publicKey), true, `${type} public of a private jwk`);
  same(crypto.createPublicKey(privateKey).equals(publicKey), true, `${type}: the public key of a private one`);
  same(crypto.createPublicKey(privateKey.export(pem("pkcs8"))).equals(publicKey), true, `${type}: the public key of a private one's PEM`);
  if (type === "x25519") {
    const peer = crypto.generateKeyPairSync("x25519");
    same(crypto.diffieHellman({ privateKey, publicKey: peer.publicKey }), crypto.diffieHellman({ privateKey: peer.privateKey, publicKey }), "diffieHellman");
    continue;
  }
  const hash = type === "ed25519" ? null : "sha256";
  const signature = crypto.sign(hash, Buffer.from("data"), privateKey);
  same(crypto.verify(hash, Buffer.from("data"), publicKey, signature), true, `${type} verifies`);
  same(crypto.verify(hash, Buffer.from("datum"), publicKey, signature), false, `${type} verifies nothing else`);
  same(crypto.verify(hash, Buffer.from("data"), privateKey, signature), true, `${type} verifies by the private key`);
  same(await promisify(crypto.verify)(hash, Buffer.from("data"), publicKey, await promisify(crypto.sign)(hash, Buffer.from("data"), privateKey)), true, `${type}, later`);
  if (type === "ed25519") {
    throws(() => crypto.sign("sha256", Buffer.from("x"), privateKey), { name: "Error" });
    continue;
  }
  const older = crypto.createSign("RSA-SHA512").update("da").update("ta").sign(privateKey.export(pem("pkcs8")), "base64");
  same(crypto.createVerify("sha512").update("data").verify(publicKey.export(pem("spki")), older, "base64"), true, `${type} by createSign`);
  if (type === "ec") {
    const plain = crypto.sign("sha256", Buffer.from("x"), { key: privateKey, dsaEncoding: "ieee-p1363" });
    same(plain.length, options.namedCurve === "P-256" ? 64 : 132, "ieee-p1363");
    same(crypto.verify("sha256", Buffer.from("x"), { key: publicKey, dsaEncoding: "ieee-p1363" }, plain), true, "ieee-p1363 verifies");
    same(publicKey.asymmetricKeyDetails.namedCurve, options.namedCurve === "P-256" ? "prime256v1" : "secp521r1", "namedCurve");
  } else {
    same(publicKey.asymmetricKeyDetails, { modulusLength: 1024, publicExponent: 65537n }, "asymmetricKeyDetails");
    const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST, RSA_PSS_SALTLEN_MAX_SIGN, RSA_PSS_SALTLEN_AUTO } = crypto.constants;
    for (const saltLength of [undefined, 0, 20, RSA_PSS_SALTLEN_DIGEST, RSA_PSS_SALTLEN_MAX_SIGN]) {
      const sig = crypto.sign("sha256", Buffer.from("x"), { key: privateKey, padding, saltLength });
      same(crypto.verify("sha256", Buffer.from("x"), { key: publicKey, padding, saltLength }, sig), true, `PSS, salt ${saltLength}`);
      same(crypto.verify("sha256", Buffer.from("x"), { key: publicKey, padding, saltLength: RSA_PSS_SALTLEN_AUTO }, sig), true, `PSS, salt ${saltLength}, any`);
      same(crypto.verify("sha256", Buffer.from("x"), { key: publicKey, padding, saltLength: 7 }, sig), false, `PSS, salt ${saltLength}, not 7`);
    }
    const sealed = crypto.publicEncrypt({ key: publicKey, oaepHash: "sha256", oaepLabel: Buffer.from("l") }, Buffer.from("secret"));
    same(crypto.privateDecrypt({ key: privateKey, oaepHash: "sha256", oaepLabel: Buffer.from("l") }, sealed).toString(), "secret", "OAEP");
    same(crypto.privateDecrypt(privateKey, crypto.publicEncrypt(publicKey.export(pem("pkcs1")), Buffer.from("s"))).toString(), "s", "OAEP by default");
    throws(() => crypto.privateDecrypt(privateKey, sealed), { code: "ERR_OSSL_RSA_OAEP_DECODING_ERROR" });
  }
}
{
  const pair = crypto.generateKeyPairSync("ec", { namedCurve: "P-384", publicKeyEncoding: pem("spki"), privateKeyEncoding: { type: "pkcs8", format: "der" } });
  same([pair.publicKey.startsWith("-----BEGIN PUBLIC KEY-----\n"), Buffer.isBuffer(pair.privateKey)], [true, true], "encodings");
  const later = await promisify(crypto.generateKeyPair)("ed25519");
  same(later.publicKey?.type, "public", "generateKeyPair");
}
throws(() => crypto.generateKeyPairSync("nonsense"), { code: "ERR_INVALID_ARG_VALUE" });
throws(() => crypto.generateKeyPairSync("ec", { namedCurve: "nonsense" }), { code: "ERR_CRYPTO_INVALID_CURVE" });
throws(() => crypto.createPrivateKey("nonsense"), { code: "ERR_OSSL_UNSUPPORTED" });
throws(() => crypto.createPublicKey("nonsense"), { code: "ERR_OSSL_UNSUPPORTED" });
throws(() => crypto.createPrivateKey(1), { code: "ERR_INVALID_ARG_TYPE" });
throws(() => crypto.createPublicKey(crypto.createSecretKey(Buffer.alloc(1))), { code: "ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE" });
throws(() => crypto.createPublicKey({ key: { kty: "EC", crv: "P-256", x: "AA", y: "AA" }, format: "jwk" }), { code: "ERR_CRYPTO_INVALID_JWK" });
throws(() => new crypto.KeyObject(), { name: "TypeError" });
{
  const secret = crypto.createSecretKey("abc", "utf8");
  same([secret.type, secret.symmetricKeySize, secret.export().toString(), secret.export({ format: "jwk" })], ["secret", 3, "abc", { kty: "oct", k: "YWJj" }], "a secret key");
  same(secret.equals(crypto.createSecretKey(Buffer.from("abc"))), true, "equals");
  same(secret.equals(crypto.createSecretKey(Buffer.from("abd"))), false, "equals not");
  same(crypto.generateKeySync("aes", { length: 256 }).symmetricKeySize, 32, "generateKeySync");
  same(crypto.generateKeySync("hmac", { length: 64 }).symmetricKeySize, 8, "generateKeySync, hmac");
  const web = await webcrypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
  same(crypto.KeyObject.from(web).symmetricKeySize, 64, "KeyObject.from");
  same([types.isKeyObject(secret), types.isKeyObject(web), types.isKeyObject({}), types.isCryptoKey(web), types.isCryptoKey(secret)], [true, false, false, true, false], "util.types");
  const data = Buffer.from("x");
  same(crypto.createHmac("sha256", crypto.KeyObject.from(web)).update(data).digest("hex"), Buffer.from(await webcrypto.subtle.sign("HMAC", web, data)).toString("hex"), "hmac of both");
}
// RFC 8037, appendix A: an Ed25519 key as JWK.
same(crypto.sign(null, Buffer.from("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"), crypto.createPrivateKey({
  key: { kty: "OKP", crv: "Ed25519", d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }, format: "jwk",
})).toString("base64url"), "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg", "RFC 8037, A.4");

// ---- the older exchange of keys
{
  const a = crypto.createECDH("prime256v1");
  const b = crypto.createECDH("prime256v1");
  a.generateKeys();
  const compressed = b.generateKeys("hex", "compressed");
  same(a.computeSecret(compressed, "hex"), b.computeSecret(a.getPublicKey()), "createECDH");
  const again = crypto.createECDH("prime256v1");
  again.setPrivateKey(a.getPrivateKey());
  same(again.getPublicKey("hex"), a.getPublicKey("hex"), "setPrivateKey");
  throws(() => crypto.createECDH("nonsense"), { code: "ERR_CRYPTO_INVALID_CURVE" });
  throws(() => a.computeSecret(Buffer.alloc(65)), { code: "ERR_CRYPTO_ECDH_INVALID_PUBLIC_KEY" });
}
same(webcrypto.subtle === crypto.subtle && typeof crypto.getRandomValues(new Uint8Array(4))[0], "number", "webcrypto");

for (const failure of failures) console.error(failure);
console.log(`${failures.length} failed, ${passed > 200 ? "all others passed" : `only ${passed} passed`}`);
