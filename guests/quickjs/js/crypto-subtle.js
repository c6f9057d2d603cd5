// SubtleCrypto (Web Crypto, section 14). Its methods take their input when they
// are called, work at once, and answer with promises that are settled. The
// promises are made by hand: an async function would ask Promise.prototype.
import { TypeError } from "mayfly:intrinsics";
import { normalize, supports } from "mayfly:crypto-algorithm";
import { bufferOf, bytesOf, toBytes } from "mayfly:crypto-bytes";
import { digest, sameBytes } from "mayfly:crypto-host";
import { dataError, toJWK } from "mayfly:crypto-jwk";
import { contains, isUsage, keyOf } from "mayfly:crypto-key";
import { invalidAccess, notSupported, requireUsages } from "mayfly:crypto-operation";
import { aesCbc, aesCtr, aesGcm, aesKw, hmac } from "mayfly:crypto-symmetric";
import { rsaOaep, rsaPkcs1, rsaPss } from "mayfly:crypto-rsa";
import { ecdh, ecdsa, ed25519, x25519 } from "mayfly:crypto-curves";
import { hkdf, pbkdf2 } from "mayfly:crypto-derivation";
import { utf8Decode, utf8Encode } from "mayfly:host";
import { defineInterface, expose, requireArguments } from "mayfly:interface";
import { ArrayPrototypePush, JSONParse, JSONStringify, PromiseReject, PromiseResolve } from "mayfly:primordials";

const algorithms = {
  __proto__: null,
  "AES-CTR": aesCtr, "AES-CBC": aesCbc, "AES-GCM": aesGcm, "AES-KW": aesKw, HMAC: hmac,
  "RSASSA-PKCS1-v1_5": rsaPkcs1, "RSA-PSS": rsaPss, "RSA-OAEP": rsaOaep,
  ECDSA: ecdsa, ECDH: ecdh, Ed25519: ed25519, X25519: x25519, HKDF: hkdf, PBKDF2: pbkdf2,
};

// Conversions of arguments, after Web IDL.

function toFormat(value) {
  const format = `${value}`;
  switch (format) {
    case "raw": case "spki": case "pkcs8": case "jwk": return format;
  }
  throw new TypeError(`"${format}" is not a key format`);
}

function toUsages(value) {
  if (typeof value !== "object" && typeof value !== "function" || value === null) throw new TypeError("The key usages are not a sequence");
  const usages = [];
  for (const item of value) { // by the program's own iterator
    const usage = `${item}`;
    if (!isUsage(usage)) throw new TypeError(`"${usage}" is not a key usage`);
    ArrayPrototypePush(usages, usage);
  }
  return usages;
}

// toAlgorithm converts what is no object to a string, before later arguments.
const toAlgorithm = (value) => typeof value === "object" && value !== null || typeof value === "function" ? value : `${value}`;

function toKeyData(value) {
  return bytesOf(value) === undefined ? toJWK(value) : toBytes(value, "The key data");
}

// use answers a key that may be used so by an algorithm.
function use(key, algorithm, usage) {
  if (key.algorithm.name !== algorithm.name) throw invalidAccess(`The key is one of ${key.algorithm.name}, not of ${algorithm.name}`);
  if (!contains(key.usages, usage)) throw invalidAccess(`The key can't be used for ${usage}`);
  return algorithms[algorithm.name];
}

function importInto(format, data, algorithm, extractable, usages) {
  const isBytes = bytesOf(data) !== undefined;
  if (isBytes === (format === "jwk")) throw new TypeError(isBytes ? "The key data is not a JsonWebKey" : "The key data is not a BufferSource");
  const key = algorithms[algorithm.name].importKey(format, data, algorithm, extractable, usages);
  if (key.type !== "public") requireUsages(usages);
  return key;
}

function exportFrom(format, key) {
  if (!supports("exportKey", key.algorithm.name)) throw notSupported(`A key of ${key.algorithm.name} can't be exported`);
  if (!key.extractable) throw invalidAccess("The key is not extractable");
  return algorithms[key.algorithm.name].exportKey(format, key);
}

// normalizeWrap prefers the operation of wrapping to that of encrypting.
function normalizeWrap(operation, fallback, algorithm) {
  try {
    return { operation, algorithm: normalize(operation, algorithm) };
  } catch {
    return { operation: fallback, algorithm: normalize(fallback, algorithm) };
  }
}

// parseJWK reads what was wrapped as text.
function parseJWK(bytes) {
  let value;
  try {
    value = JSONParse(utf8Decode(bytes));
  } catch {
    throw dataError("The key is not JSON");
  }
  if (typeof value !== "object" || value === null) throw dataError("The key is not a JSON object");
  const jwk = toJWK(value);
  if (jwk.kty === undefined) throw dataError('The JWK has no member "kty"');
  return jwk;
}

const settle = (f) => {
  try {
    return PromiseResolve(f());
  } catch (error) {
    return PromiseReject(error);
  }
};

let internal = true;

export class SubtleCrypto {
  #brand;
  constructor() {
    if (!internal) throw new TypeError("Illegal constructor");
  }

  encrypt(algorithm, key, data) {
    return settle(() => {
      this.#brand;
      requireArguments(arguments.length, 3, "SubtleCrypto.encrypt");
      algorithm = toAlgorithm(algorithm);
      key = keyOf(key, "SubtleCrypto.encrypt: the key");
      data = toBytes(data, "SubtleCrypto.encrypt: the data");
      algorithm = normalize("encrypt", algorithm);
      return bufferOf(use(key, algorithm, "encrypt").encrypt(algorithm, key, data));
    });
  }

  decrypt(algorithm, key, data) {
    return settle(() => {
      this.#brand;
      requireArguments(arguments.length, 3, "SubtleCrypto.decrypt");
      algorithm = toAlgorithm(algorithm);
      key = keyOf(key, "SubtleCrypto.decrypt: the key");
      data = toBytes(data, "SubtleCrypto.decrypt: the data");
      algorithm = normalize("decrypt", algorithm);
      return bufferOf(use(key, algorithm, "decrypt").decrypt(algorithm, key, data));
    });
  }

  sign(algorithm, key, data) {
    return settle(() => {
      this.#brand;
      requireArguments(arguments.length, 3, "SubtleCrypto.sign");
      algorithm = toAlgorithm(algorithm);
      key = keyOf(key, "SubtleCrypto.sign: the key");
      data = toBytes(data, "SubtleCrypto.sign: the data");
      algorithm = normalize("sign", algorithm);
      return bufferOf(use(key, algorithm, "sign").sign(algorithm, key, data));
    });
  }

  verify(algorithm, key, signature, data) {
    return settle(() => {
      this.#brand;
      requireArguments(arguments.length, 4, "SubtleCrypto.verify");
      algorithm = toAlgorithm(algorithm);
      key = keyOf(key, "SubtleCrypto.verify: the key");
      signature = toBytes(signature, "SubtleCrypto.verify: the signature");
      data = toBytes(data, "SubtleCrypto.verify: the data");
      algorithm = normalize("verify", algorithm);
      return use(key, algorithm, "verify").verify(algorithm, key, signature, data);
    });
  }

  digest(algorithm, data) {
    return settle(() => {
      this.#brand;
      requireArguments(arguments.length, 2, "SubtleCrypto.digest");
      algorithm = toAlgorithm(algorithm);
      data = toBytes(data, "SubtleCrypto.digest: the data");
      return bufferOf(digest(normalize("digest", algorithm).name, data));
    });
  }

  generateKey(algorithm, extractable, keyUsages) {
    return settle(() => {
      this.#brand;
      requireArguments(arguments.length, 3, "SubtleCrypto.generateKey");
      algorithm = toAlgorithm(algorithm);
      const usages = toUsages(keyUsages);
      algorithm = normalize("generateKey", algorithm);
      return algorithms[algorithm.name].generateKey(algorithm, !!extractable, usages);
    });
  }

  deriveKey(algorithm, baseKey, derivedKeyType, extractable, keyUsages) {
    return settle(() => {
      this.#brand;
      requireArguments(arguments.length, 5, "SubtleCrypto.deriveKey");
      algorithm = toAlgorithm(algorithm);
      const key = keyOf(baseKey, "SubtleCrypto.deriveKey: the base key");
      const type = toAlgorithm(derivedKeyType);
      const usages = toUsages(keyUsages);
      algorithm = normalize("deriveBits", algorithm);
      const imported = normalize("importKey", type);
      const sized = normalize("get key length", type);
      const operations = use(key, algorithm, "deriveKey");
      const length = algorithms[sized.name].getKeyLength(sized);
      return importInto("raw", operations.deriveBits(algorithm, key, length), imported, !!extractable, usages);
    });
  }

  deriveBits(algorithm, baseKey, length = null) {
    return settle(() => {
      this.#brand;
      requireArguments(arguments.length, 2, "SubtleCrypto.deriveBits");
      algorithm = toAlgorithm(algorithm);
      const key = keyOf(baseKey, "SubtleCrypto.deriveBits: the base key");
      if (length !== null) length = +length >>> 0;
      algorithm = normalize("deriveBits", algorithm);
      return bufferOf(use(key, algorithm, "deriveBits").deriveBits(algorithm, key, length));
    });
  }

  importKey(format, keyData, algorithm, extractable, keyUsages) {
    return settle(() => {
      this.#brand;
      requireArguments(arguments.length, 5, "SubtleCrypto.importKey");
      format = toFormat(format);
      const data = toKeyData(keyData);
      algorithm = toAlgorithm(algorithm);
      const usages = toUsages(keyUsages);
      algorithm = normalize("importKey", algorithm);
      return importInto(format, data, algorithm, !!extractable, usages);
    });
  }

  exportKey(format, key) {
    return settle(() => {
      this.#brand;
      requireArguments(arguments.length, 2, "SubtleCrypto.exportKey");
      format = toFormat(format);
      const exported = exportFrom(format, keyOf(key, "SubtleCrypto.exportKey: the key"));
      return format === "jwk" ? exported : bufferOf(exported);
    });
  }

  wrapKey(format, key, wrappingKey, wrapAlgorithm) {
    return settle(() => {
      this.#brand;
      requireArguments(arguments.length, 4, "SubtleCrypto.wrapKey");
      format = toFormat(format);
      const wrapped = keyOf(key, "SubtleCrypto.wrapKey: the key");
      const wrapping = keyOf(wrappingKey, "SubtleCrypto.wrapKey: the wrapping key");
      const { operation, algorithm } = normalizeWrap("wrapKey", "encrypt", toAlgorithm(wrapAlgorithm));
      const operations = use(wrapping, algorithm, "wrapKey");
      let bytes = exportFrom(format, wrapped);
      if (format === "jwk") bytes = utf8Encode(JSONStringify(bytes));
      return bufferOf(operations[operation](algorithm, wrapping, bytes));
    });
  }

  unwrapKey(format, wrappedKey, unwrappingKey, unwrapAlgorithm, unwrappedKeyAlgorithm, extractable, keyUsages) {
    return settle(() => {
      this.#brand;
      requireArguments(arguments.length, 7, "SubtleCrypto.unwrapKey");
      format = toFormat(format);
      const wrapped = toBytes(wrappedKey, "SubtleCrypto.unwrapKey: the wrapped key");
      const unwrapping = keyOf(unwrappingKey, "SubtleCrypto.unwrapKey: the unwrapping key");
      unwrapAlgorithm = toAlgorithm(unwrapAlgorithm);
      unwrappedKeyAlgorithm = toAlgorithm(unwrappedKeyAlgorithm);
      const usages = toUsages(keyUsages);
      const { operation, algorithm } = normalizeWrap("unwrapKey", "decrypt", unwrapAlgorithm);
      const imported = normalize("importKey", unwrappedKeyAlgorithm);
      const bytes = use(unwrapping, algorithm, "unwrapKey")[operation](algorithm, unwrapping, wrapped);
      return importInto(format, format === "jwk" ? parseJWK(bytes) : bytes, imported, !!extractable, usages);
    });
  }

  // Not in the standard; workers have it.
  timingSafeEqual(a, b) {
    this.#brand;
    requireArguments(arguments.length, 2, "SubtleCrypto.timingSafeEqual");
    a = toBytes(a, "SubtleCrypto.timingSafeEqual: the first argument");
    b = toBytes(b, "SubtleCrypto.timingSafeEqual: the second argument");
    if (a.byteLength !== b.byteLength) throw new TypeError("Input buffers must have the same length (in bytes).");
    return sameBytes(a, b);
  }
}
defineInterface(SubtleCrypto);
expose({ SubtleCrypto });

export const subtle = new SubtleCrypto();
internal = false;
