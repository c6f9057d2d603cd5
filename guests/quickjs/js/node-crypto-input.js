// What the functions of node:crypto share: arguments, results, callbacks.
import { Error, TypeError } from "mayfly:intrinsics";
import { asBuffer, decodeText, encodeText } from "mayfly:buffer";
import { bytesOf } from "mayfly:crypto-bytes";
import { coded, invalidArgType, outOfRange } from "mayfly:node-errors";
import { process } from "mayfly:process";
import { NumberIsInteger, StringPrototypeReplaceAll, StringPrototypeSlice, StringPrototypeStartsWith, StringPrototypeToUpperCase } from "mayfly:primordials";

const KINDS = "of type string or an instance of ArrayBuffer, Buffer, TypedArray, or DataView";

// inputBytes answers the bytes of a string, in an encoding, or of a buffer.
export function inputBytes(value, name, encoding = "utf8") {
  if (typeof value === "string") return encodeText(value, encoding === "buffer" ? "utf8" : encoding);
  const bytes = bytesOf(value);
  if (bytes === undefined) throw invalidArgType(name, KINDS, value);
  return bytes;
}

// output answers a Buffer, or a string in an encoding.
export const output = (bytes, encoding) => encoding === undefined || encoding === null || encoding === "buffer" ? asBuffer(bytes) : decodeText(bytes, encoding);

// Names of hashes, as OpenSSL has them.
const HASH_NAMES = {
  __proto__: null,
  MD5: "MD5", SHA1: "SHA-1", "SHA-1": "SHA-1", SHA224: "SHA-224", "SHA-224": "SHA-224", "SHA2-224": "SHA-224", SHA256: "SHA-256", "SHA-256": "SHA-256",
  "SHA2-256": "SHA-256", SHA384: "SHA-384", "SHA-384": "SHA-384", "SHA2-384": "SHA-384", SHA512: "SHA-512", "SHA-512": "SHA-512", "SHA2-512": "SHA-512",
  "SHA512-224": "SHA-512/224", "SHA-512/224": "SHA-512/224", "SHA512-256": "SHA-512/256", "SHA-512/256": "SHA-512/256",
  "SHA3-224": "SHA3-224", "SHA3-256": "SHA3-256", "SHA3-384": "SHA3-384", "SHA3-512": "SHA3-512",
};
export const HASH_BYTES = {
  __proto__: null, MD5: 16, "SHA-1": 20, "SHA-224": 28, "SHA-256": 32, "SHA-384": 48, "SHA-512": 64, "SHA-512/224": 28, "SHA-512/256": 32,
  "SHA3-224": 28, "SHA3-256": 32, "SHA3-384": 48, "SHA3-512": 64,
};

export const getHashes = () => [
  "RSA-MD5", "RSA-SHA1", "RSA-SHA224", "RSA-SHA256", "RSA-SHA384", "RSA-SHA512", "RSA-SHA512/224", "RSA-SHA512/256", "md5", "sha1", "sha224", "sha256",
  "sha3-224", "sha3-256", "sha3-384", "sha3-512", "sha384", "sha512", "sha512-224", "sha512-256",
];

// hashName answers a hash's own name, undefined for an unknown one.
export function hashName(name) {
  let upper = StringPrototypeToUpperCase(name);
  if (StringPrototypeStartsWith(upper, "RSA-")) upper = StringPrototypeReplaceAll(StringPrototypeSlice(upper, 4), "SHA512/", "SHA512-");
  return HASH_NAMES[upper];
}

export function requireHash(name, what = "digest") {
  if (typeof name !== "string") throw invalidArgType(what, "of type string", name);
  const found = hashName(name);
  if (found === undefined) throw coded(new TypeError(`Invalid digest: ${name}`), "ERR_CRYPTO_INVALID_DIGEST");
  return found;
}

export function requireInteger(value, name, least, most) {
  if (typeof value !== "number") throw invalidArgType(name, "of type number", value);
  if (!NumberIsInteger(value)) throw outOfRange(name, "an integer", value);
  if (value < least || value > most) throw outOfRange(name, `>= ${least} && <= ${most}`, value);
  return value;
}

export function requireFunction(value, name = "callback") {
  if (typeof value !== "function") throw invalidArgType(name, "of type function", value);
  return value;
}

// later does work now, and calls back with what came of it.
export function later(callback, work) {
  let result;
  try {
    result = work();
  } catch (error) {
    process.nextTick(callback, error);
    return;
  }
  process.nextTick(callback, null, result);
}

// openssl makes an error as those of the library that node calls.
export function openssl(code, library, reason, message) {
  const error = coded(new Error(message), code);
  error.library = library;
  error.reason = reason;
  return error;
}
