// The host's cryptographic operations as functions: see host/op/ops.json. Keys
// go with each operation as bytes, so that the host has nothing to remember.
import { Reader, Writer, call } from "mayfly:host";
import { CRYPTO_CIPHER, CRYPTO_DERIVE, CRYPTO_GENERATE, CRYPTO_HASH, CRYPTO_KEY, CRYPTO_SIGN, RANDOM } from "mayfly:op.gen";
import { TypedArrayPrototypeGetByteLength, TypedArrayPrototypeSet } from "mayfly:primordials";

const IntrinsicUint8Array = Uint8Array;
export const none = new IntrinsicUint8Array(0);

// Hashes, by the names of Web Crypto.
export const HASHES = { __proto__: null, MD5: 2, "SHA-1": 3, "SHA-224": 4, "SHA-256": 5, "SHA-384": 6, "SHA-512": 7, "SHA3-224": 10, "SHA3-256": 11, "SHA3-384": 12, "SHA3-512": 13, "SHA-512/224": 14, "SHA-512/256": 15 };
export const BLOCK_BYTES = { __proto__: null, MD5: 64, "SHA-1": 64, "SHA-224": 64, "SHA-256": 64, "SHA-384": 128, "SHA-512": 128 };

const FINISH = 1;
const KEYED = 2;

const sizeOf = TypedArrayPrototypeGetByteLength;
const raw = (writer, bytes) => {
  const head = writer.done();
  const message = new IntrinsicUint8Array(head.length + sizeOf(bytes));
  TypedArrayPrototypeSet(message, head);
  TypedArrayPrototypeSet(message, bytes, head.length);
  return message;
};

// digest answers the hash of bytes.
export const digest = (hash, bytes) => call(CRYPTO_HASH, raw(new Writer(10).u8(HASHES[hash]).u8(FINISH).u32(0).u32(0), bytes));

// hashPart takes bytes into the state of a hash, or of an HMAC if there is a
// key, and answers the next one; or the digest, if they are the last.
export const hashPart = (hash, key, state, bytes, last) => call(CRYPTO_HASH, raw(
  new Writer(64).u8(HASHES[hash]).u8((last ? FINISH : 0) | (key === undefined ? 0 : KEYED)).bytes(key ?? none).bytes(state ?? none), bytes));

export const CTR = 1;
export const CBC = 2;
export const CBC_UNPADDED = 3;
export const GCM = 4;
export const GCM_STREAM = 5;
export const KW = 6;
export const ECB_UNPADDED = 7;
export const OAEP = 8;

const ROOM = 16;

// cipher encrypts or decrypts bytes. What the parameter is depends on the
// algorithm.
export function cipher(algorithm, decrypts, key, iv, parameter, additional, bytes) {
  const head = new Writer(64).u8(algorithm).u8(decrypts ? 1 : 0).bytes(key).bytes(iv).u32(parameter).bytes(additional).done();
  const message = new IntrinsicUint8Array(head.length + sizeOf(bytes) + ROOM);
  TypedArrayPrototypeSet(message, head);
  TypedArrayPrototypeSet(message, bytes, head.length);
  return call(CRYPTO_CIPHER, message);
}

export const HMAC = 1;
export const PKCS1 = 2;
export const PSS = 3;
export const ECDSA = 4;
export const ECDSA_ASN1 = 5;
export const EDDSA = 6;
export const PSS_ANY = 7;

const signature = (verify, scheme, hash, salt, kind, key, sig, bytes) => call(CRYPTO_SIGN, raw(
  new Writer(128).u8(verify).u8(scheme).u8(hash === undefined ? 0 : HASHES[hash]).u32(salt).u8(kind).bytes(key).bytes(sig), bytes));
export const sign = (scheme, hash, salt, kind, key, bytes) => signature(0, scheme, hash, salt, kind, key, none, bytes);
export const verify = (scheme, hash, salt, kind, key, sig, bytes) => signature(1, scheme, hash, salt, kind, key, sig, bytes)[0] === 1;

export const pbkdf2 = (hash, iterations, n, password, salt) =>
  call(CRYPTO_DERIVE, new Writer(64).u8(1).u8(HASHES[hash]).u32(iterations).u32(n).bytes(password).bytes(salt).done());
export const hkdf = (hash, n, key, salt, info) =>
  call(CRYPTO_DERIVE, new Writer(64).u8(2).u8(HASHES[hash]).u32(n).bytes(key).bytes(salt).bytes(info).done());
export function scrypt(cost, size, lanes, n, password, salt) {
  const head = new Writer(64).u8(3).u32(cost).u32(size).u32(lanes).u32(n).bytes(password).bytes(salt).done();
  const message = new IntrinsicUint8Array(head.length + 128 * size * (cost + lanes + 2));
  TypedArrayPrototypeSet(message, head);
  return call(CRYPTO_DERIVE, message);
}
export const agree = (kind, privateKey, publicKey) => call(CRYPTO_DERIVE, new Writer(256).u8(4).u8(kind).bytes(privateKey).bytes(publicKey).done());

// Kinds of keys.
export const RSA = 1;
export const P256 = 2;
export const P384 = 3;
export const P521 = 4;
export const ED25519 = 5;
export const X25519 = 6;
export const OCTETS = 7;
export const CURVES = { __proto__: null, "P-256": P256, "P-384": P384, "P-521": P521 };
export const CURVE_NAMES = ["", "", "P-256", "P-384", "P-521", "Ed25519", "X25519"];

// Formats of keys.
export const FORMATS = { __proto__: null, raw: 0, pkcs8: 1, spki: 2, jwk: 3, pkcs1: 4, sec1: 5, x509: 6, scalar: 7 };

function readKey(answer) {
  const r = new Reader(answer);
  return { __proto__: null, kind: r.u8(), isPrivate: r.u8() === 1, bits: r.u32(), exponent: bytesOwn(r.bytes()), material: bytesOwn(r.bytes()) };
}

function bytesOwn(view) {
  const own = new IntrinsicUint8Array(sizeOf(view));
  TypedArrayPrototypeSet(own, view);
  return own;
}

// importKey reads a key in a binary format; its kind, if it is not 0, has to be
// as given.
export const importKey = (kind, format, bytes) => readKey(call(CRYPTO_KEY, raw(new Writer(8).u8(1).u8(kind).u8(FORMATS[format]), bytes)));
// importMembers reads a key from those members of a JWK that are the key.
export const importMembers = (kind, members) => readKey(call(CRYPTO_KEY, new Writer(256).u8(1).u8(kind).u8(FORMATS.jwk).pairs(members).done()));
export const exportKey = (kind, isPrivate, format, material) =>
  call(CRYPTO_KEY, new Writer(256).u8(2).u8(kind).u8(isPrivate ? 1 : 0).u8(FORMATS[format]).bytes(material).done());
// exportMembers answers those members of a JWK that are the key, as pairs.
export const exportMembers = (kind, isPrivate, material) => new Reader(exportKey(kind, isPrivate, "jwk", material)).pairs();
export const publicOf = (kind, material) => call(CRYPTO_KEY, new Writer(256).u8(3).u8(kind).bytes(material).done());

export const octetsOf = (k) => importMembers(OCTETS, [["k", k]]).material;

export function generate(kind, bits, exponent) {
  const r = new Reader(call(CRYPTO_GENERATE, new Writer(32).u8(kind).u32(bits).bytes(exponent).done()));
  return { __proto__: null, privateKey: bytesOwn(r.bytes()), publicKey: bytesOwn(r.bytes()) };
}

const RANDOM_BYTES = 65536;

// randomInto fills bytes.
export function randomInto(bytes) {
  const n = sizeOf(bytes);
  for (let at = 0; at < n; at += RANDOM_BYTES) {
    const count = n - at < RANDOM_BYTES ? n - at : RANDOM_BYTES;
    TypedArrayPrototypeSet(bytes, call(RANDOM, new Writer(4).u32(count).done()), at);
  }
  return bytes;
}
export const random = (n) => randomInto(new IntrinsicUint8Array(n));

// sameBytes compares in a time that does not depend on where they differ.
export function sameBytes(a, b) {
  const n = sizeOf(a);
  if (n !== sizeOf(b)) return false;
  let different = 0;
  for (let i = 0; i < n; i++) different |= a[i] ^ b[i];
  return different === 0;
}

