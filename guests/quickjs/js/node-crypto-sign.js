// Signatures, RSA-OAEP and exchanges of keys in node:crypto.
import { Error, TypeError, Uint8Array } from "mayfly:intrinsics";
import { bytesOf, sizeOf } from "mayfly:crypto-bytes";
import {
  ECDSA, ECDSA_ASN1, ED25519, EDDSA, HASHES, OAEP, PKCS1, PSS, PSS_ANY, RSA, X25519, agree, cipher, generate, importKey, none, publicOf, sign as signBytes,
  verify as verifyBytes,
} from "mayfly:crypto-host";
import { HASH_BYTES, inputBytes, later, openssl, output, requireFunction, requireHash } from "mayfly:node-crypto-input";
import { curveKind, isKeyObject, keySlots } from "mayfly:node-crypto-key";
import { LazyWritable } from "mayfly:node-crypto-stream";
import { coded, invalidArgType, invalidArgValue } from "mayfly:node-errors";
import { TypedArrayPrototypeSet, bytesCopy, bytesSubarray } from "mayfly:primordials";

export const RSA_PKCS1_PADDING = 1;
export const RSA_PKCS1_OAEP_PADDING = 4;
export const RSA_PKCS1_PSS_PADDING = 6;
const SALT_DIGEST = -1;
const SALT_MAX = -2; // to verify: any

// howTo answers scheme, hash and salt of a signature.
function howTo(slots, hash, options, verifies) {
  if (slots.kind === ED25519) {
    if (hash !== undefined) throw openssl("ERR_OSSL_EVP_INVALID_DIGEST", "digital envelope routines", "invalid digest", "error:1C800069:Provider routines::invalid digest");
    return { scheme: EDDSA, salt: 0 };
  }
  if (slots.kind === X25519) throw openssl("ERR_OSSL_EVP_OPERATION_NOT_SUPPORTED_FOR_THIS_KEYTYPE", "digital envelope routines",
    "operation not supported for this keytype", "error:03000096:digital envelope routines::operation not supported for this keytype");
  hash ??= "SHA-256"; // OpenSSL's choice for these keys
  if (slots.kind !== RSA) {
    switch (options?.dsaEncoding) {
      case undefined: case "der": return { scheme: ECDSA_ASN1, hash, salt: 0 };
      case "ieee-p1363": return { scheme: ECDSA, hash, salt: 0 };
    }
    throw invalidArgValue("options.dsaEncoding", options.dsaEncoding);
  }
  switch (options?.padding) {
    case undefined: case RSA_PKCS1_PADDING: return { scheme: PKCS1, hash, salt: 0 };
    case RSA_PKCS1_PSS_PADDING: break;
    default: throw invalidArgValue("options.padding", options.padding);
  }
  const salt = options.saltLength ?? SALT_MAX;
  if (typeof salt !== "number") throw invalidArgValue("options.saltLength", salt);
  if (salt === SALT_MAX) {
    if (verifies) return { scheme: PSS_ANY, hash, salt: 0 };
    return { scheme: PSS, hash, salt: (slots.bits + 6 - (slots.bits + 6) % 8) / 8 - HASH_BYTES[hash] - 2 };
  }
  return { scheme: PSS, hash, salt: salt === SALT_DIGEST ? HASH_BYTES[hash] : salt };
}

const optionsOf = (key) => typeof key === "object" && key !== null && !isKeyObject(key) && bytesOf(key) === undefined ? key : undefined;

function signWith(hash, data, key) {
  if (key === undefined || key === null) throw coded(new Error("No key provided to sign"), "ERR_CRYPTO_SIGN_KEY_REQUIRED");
  const slots = keySlots(key, true);
  const how = howTo(slots, hash, optionsOf(key), false);
  try {
    return signBytes(how.scheme, how.hash, how.salt < 0 ? 0 : how.salt, slots.kind, slots.material, data);
  } catch {
    throw openssl("ERR_OSSL_RSA_DIGEST_TOO_BIG_FOR_RSA_KEY", "rsa routines", "digest too big for rsa key", "error:02000070:rsa routines::digest too big for rsa key");
  }
}

function verifyWith(hash, data, key, signature) {
  const slots = keySlots(key, false);
  const how = howTo(slots, hash, optionsOf(key), true);
  return verifyBytes(how.scheme, how.hash, how.salt, slots.kind, slots.material, signature, data);
}

function bufferInput(value, name) {
  const bytes = bytesOf(value);
  if (bytes === undefined) throw invalidArgType(name, "an instance of ArrayBuffer, Buffer, TypedArray, or DataView", value);
  return bytes;
}

const optionalHash = (algorithm) => algorithm === undefined || algorithm === null ? undefined : requireHash(algorithm, "algorithm");

export function sign(algorithm, data, key, callback = undefined) {
  const hash = optionalHash(algorithm);
  const bytes = bufferInput(data, "data");
  if (callback === undefined) return output(signWith(hash, bytes, key));
  later(requireFunction(callback), () => output(signWith(hash, bytes, key)));
}

export function verify(algorithm, data, key, signature, callback = undefined) {
  const hash = optionalHash(algorithm);
  const bytes = bufferInput(data, "data");
  const sig = bufferInput(signature, "signature");
  if (callback === undefined) return verifyWith(hash, bytes, key, sig);
  later(requireFunction(callback), () => verifyWith(hash, bytes, key, sig));
}

class Base extends LazyWritable {
  #hash;
  #parts = [];
  #size = 0;

  constructor(algorithm, options) {
    super(options);
    if (typeof algorithm !== "string") throw invalidArgType("algorithm", "of type string", algorithm);
    this.#hash = requireHash(algorithm);
  }

  update(data, inputEncoding = undefined) {
    const bytes = bytesCopy(inputBytes(data, "data", inputEncoding));
    this.#parts[this.#parts.length] = bytes;
    this.#size += sizeOf(bytes);
    return this;
  }

  static taken(self) {
    const all = new Uint8Array(self.#size);
    for (let i = 0, at = 0; i < self.#parts.length; i++) {
      TypedArrayPrototypeSet(all, self.#parts[i], at);
      at += sizeOf(self.#parts[i]);
    }
    return { hash: self.#hash, data: all };
  }

  _write(chunk, encoding, callback) {
    this.update(chunk, encoding);
    callback();
  }
}
const { taken } = Base;
delete Base.taken;

export class Sign extends Base {
  constructor(algorithm, options = undefined) { super(algorithm, options); }
  sign(key, outputEncoding = undefined) {
    const { hash, data } = taken(this);
    return output(signWith(hash, data, key), outputEncoding);
  }
}
export class Verify extends Base {
  constructor(algorithm, options = undefined) { super(algorithm, options); }
  verify(key, signature, signatureEncoding = undefined) {
    const { hash, data } = taken(this);
    return verifyWith(hash, data, key, inputBytes(signature, "signature", signatureEncoding));
  }
}

function oaepOptions(key) {
  const options = optionsOf(key);
  const padding = options?.padding ?? RSA_PKCS1_OAEP_PADDING;
  if (padding !== RSA_PKCS1_OAEP_PADDING) throw coded(new Error("Only RSA_PKCS1_OAEP_PADDING is supported"), "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM");
  return { hash: requireHash(options?.oaepHash ?? "sha1", "key.oaepHash"), label: options?.oaepLabel === undefined ? none : inputBytes(options.oaepLabel, "key.oaepLabel") };
}

function oaep(decrypts, key, buffer) {
  const { hash, label } = oaepOptions(key);
  const slots = keySlots(key, decrypts);
  if (slots.kind !== RSA) throw coded(new TypeError("Invalid key type, expected rsa"), "ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE");
  const bytes = inputBytes(buffer, "buffer", optionsOf(key)?.encoding);
  try {
    return output(cipher(OAEP, decrypts, slots.material, none, HASHES[hash], label, bytes));
  } catch {
    throw decrypts
      ? openssl("ERR_OSSL_RSA_OAEP_DECODING_ERROR", "rsa routines", "oaep decoding error", "error:02000079:rsa routines::oaep decoding error")
      : openssl("ERR_OSSL_RSA_DATA_TOO_LARGE_FOR_KEY_SIZE", "rsa routines", "data too large for key size", "error:0200006E:rsa routines::data too large for key size");
  }
}

export const publicEncrypt = (key, buffer) => oaep(false, key, buffer);
export const privateDecrypt = (key, buffer) => oaep(true, key, buffer);

export function diffieHellman(options) {
  if (typeof options !== "object" || options === null) throw invalidArgType("options", "of type object", options);
  const own = keySlots(options.privateKey, true);
  const peer = keySlots(options.publicKey, false);
  if (own.kind !== peer.kind || own.kind === RSA || own.kind === ED25519) {
    throw coded(new Error("Incompatible key types for Diffie-Hellman"), "ERR_CRYPTO_INCOMPATIBLE_KEY");
  }
  return output(agree(own.kind, own.material, peer.material));
}

// ECDH is the older class, for one curve.
export class ECDH {
  #kind;
  #privateKey;
  #publicKey;

  constructor(curve) {
    if (typeof curve !== "string") throw invalidArgType("curve", "of type string", curve);
    this.#kind = curveKind(curve, coded(new TypeError("Invalid EC curve name"), "ERR_CRYPTO_INVALID_CURVE"));
  }

  generateKeys(encoding = undefined, format = "uncompressed") {
    const pair = generate(this.#kind, 0, none);
    this.#privateKey = pair.privateKey;
    this.#publicKey = pair.publicKey;
    return this.getPublicKey(encoding, format);
  }

  computeSecret(otherPublicKey, inputEncoding = undefined, outputEncoding = undefined) {
    const point = inputBytes(otherPublicKey, "otherPublicKey", inputEncoding);
    if (this.#privateKey === undefined) throw coded(new Error("No private key set"), "ERR_CRYPTO_ECDH_INVALID_STATE");
    let peer;
    try {
      peer = importKey(this.#kind, "raw", point).material;
    } catch {
      throw coded(new Error("Public key is not valid for specified curve"), "ERR_CRYPTO_ECDH_INVALID_PUBLIC_KEY");
    }
    return output(agree(this.#kind, this.#privateKey, peer), outputEncoding);
  }

  getPublicKey(encoding = undefined, format = "uncompressed") {
    if (this.#publicKey === undefined) throw coded(new Error("Failed to get ECDH public key"), "ERR_CRYPTO_ECDH_INVALID_STATE");
    const point = this.#publicKey;
    if (format !== "compressed") return output(bytesCopy(point), encoding);
    const half = (sizeOf(point) - 1) / 2;
    const compressed = bytesCopy(bytesSubarray(point, 0, 1 + half));
    compressed[0] = 2 + point[2 * half] % 2;
    return output(compressed, encoding);
  }

  getPrivateKey(encoding = undefined) {
    if (this.#privateKey === undefined) throw coded(new Error("Failed to get ECDH private key"), "ERR_CRYPTO_ECDH_INVALID_STATE");
    const point = sizeOf(publicOf(this.#kind, this.#privateKey));
    return output(bytesCopy(bytesSubarray(this.#privateKey, 0, sizeOf(this.#privateKey) - point)), encoding);
  }

  setPrivateKey(privateKey, encoding = undefined) {
    const bytes = inputBytes(privateKey, "key", encoding);
    const padded = new Uint8Array([0, 0, 32, 48, 66][this.#kind]);
    if (sizeOf(bytes) <= sizeOf(padded)) TypedArrayPrototypeSet(padded, bytes, sizeOf(padded) - sizeOf(bytes));
    try {
      this.#privateKey = importKey(this.#kind, "scalar", sizeOf(bytes) > sizeOf(padded) ? bytes : padded).material;
    } catch {
      throw coded(new Error("Private key is not valid for specified curve."), "ERR_CRYPTO_INVALID_KEYTYPE");
    }
    this.#publicKey = publicOf(this.#kind, this.#privateKey);
  }
}
export const createECDH = (curve) => new ECDH(curve);
