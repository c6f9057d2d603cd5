// AES in its modes, and HMAC (Web Crypto, sections 28 to 32).
import { TypeError } from "mayfly:intrinsics";
import { sizeOf } from "mayfly:crypto-bytes";
import { BLOCK_BYTES, CBC, CTR, GCM, HMAC, KW, OCTETS, cipher, none, octetsOf, random, sign, verify } from "mayfly:crypto-host";
import { checkJWK, dataError, formatJWK } from "mayfly:crypto-jwk";
import { checkUsages, newKey, notSupported, operationError, requireUsages } from "mayfly:crypto-operation";
import { bytesCopy } from "mayfly:primordials";

// secretBytes reads a symmetric key; jwkAlg answers what alg has to be.
function secretBytes(format, data, extractable, usages, use, jwkAlg) {
  if (format === "raw") return bytesCopy(data);
  if (format !== "jwk") throw notSupported(`The key has no format "${format}"`);
  if (data.kty !== "oct") throw dataError('The JWK\'s member "kty" is not "oct"');
  if (data.k === undefined) throw dataError('The JWK has no member "k"');
  const bytes = octetsOf(data.k);
  const alg = jwkAlg(bytes);
  if (data.alg !== undefined && data.alg !== alg) throw dataError(`The JWK's member "alg" is not "${alg}"`);
  checkJWK(data, "oct", use, extractable, usages);
  return bytes;
}

function exportSecret(format, key, alg) {
  if (format === "raw") return bytesCopy(key.material);
  if (format !== "jwk") throw notSupported(`The key has no format "${format}"`);
  return formatJWK("oct", alg, key, OCTETS);
}

const aesBits = (n) => n === 128 || n === 192 || n === 256;

function aes(name, usagesOfKey, operations) {
  const suffix = name.slice(4);
  return {
    __proto__: null,
    generateKey({ length }, extractable, usages) {
      checkUsages(usages, usagesOfKey);
      if (!aesBits(length)) throw operationError(`A key of AES has 128, 192 or 256 bits, not ${length}`);
      requireUsages(usages);
      return newKey("secret", extractable, { __proto__: null, name, length }, usages, 0, random(length / 8));
    },
    importKey(format, data, algorithm, extractable, usages) {
      checkUsages(usages, usagesOfKey);
      const bytes = secretBytes(format, data, extractable, usages, "enc", (k) => {
        if (!aesBits(sizeOf(k) * 8)) throw dataError(`A key of AES has 16, 24 or 32 bytes, not ${sizeOf(k)}`);
        return `A${sizeOf(k) * 8}${suffix}`;
      });
      const length = sizeOf(bytes) * 8;
      if (!aesBits(length)) throw dataError(`A key of AES has 16, 24 or 32 bytes, not ${length / 8}`);
      return newKey("secret", extractable, { __proto__: null, name, length }, usages, 0, bytes);
    },
    exportKey: (format, key) => exportSecret(format, key, `A${key.algorithm.length}${suffix}`),
    getKeyLength({ length }) {
      if (!aesBits(length)) throw operationError(`A key of AES has 128, 192 or 256 bits, not ${length}`);
      return length;
    },
    ...operations,
  };
}

// direction makes the operations encrypt and decrypt of one function.
const both = (f) => ({
  encrypt: (algorithm, key, data) => f(algorithm, key.material, data, false),
  decrypt: (algorithm, key, data) => f(algorithm, key.material, data, true),
});

const CIPHER_USAGES = ["encrypt", "decrypt", "wrapKey", "unwrapKey"];

export const aesCtr = aes("AES-CTR", CIPHER_USAGES, both(({ counter, length }, key, data, decrypts) => {
  if (sizeOf(counter) !== 16) throw operationError("The counter has to have 16 bytes");
  if (length === 0 || length > 128) throw operationError("The counter's length has to be from 1 to 128 bits");
  return cipher(CTR, decrypts, key, counter, length, none, data);
}));

export const aesCbc = aes("AES-CBC", CIPHER_USAGES, both(({ iv }, key, data, decrypts) => {
  if (sizeOf(iv) !== 16) throw operationError("The initialization vector has to have 16 bytes");
  return cipher(CBC, decrypts, key, iv, 0, none, data);
}));

export const aesGcm = aes("AES-GCM", CIPHER_USAGES, both(({ iv, additionalData = none, tagLength = 128 }, key, data, decrypts) => {
  switch (tagLength) {
    case 32: case 64: case 96: case 104: case 112: case 120: case 128: break;
    default: throw operationError(`The tag can't have ${tagLength} bits`);
  }
  return cipher(GCM, decrypts, key, iv, tagLength / 8, additionalData, data);
}));

export const aesKw = aes("AES-KW", ["wrapKey", "unwrapKey"], {
  wrapKey: (algorithm, key, data) => cipher(KW, false, key.material, none, 0, none, data),
  unwrapKey: (algorithm, key, data) => cipher(KW, true, key.material, none, 0, none, data),
});

const SIGN_USAGES = ["sign", "verify"];
const JWK_HASHES = { __proto__: null, "SHA-1": "HS1", "SHA-256": "HS256", "SHA-384": "HS384", "SHA-512": "HS512" };

// trimmed clears the bits of a key's last byte that are past its length.
function trimmed(bytes, bits) {
  if (bits % 8 !== 0) bytes[sizeOf(bytes) - 1] &= 0xff00 >> (bits % 8);
  return bytes;
}

export const hmac = {
  __proto__: null,
  generateKey({ name, hash, length }, extractable, usages) {
    checkUsages(usages, SIGN_USAGES);
    if (length === undefined) length = BLOCK_BYTES[hash] * 8;
    if (length === 0) throw operationError("A key of HMAC can't be empty");
    requireUsages(usages);
    const bytes = trimmed(random((length + 7 - (length + 7) % 8) / 8), length);
    return newKey("secret", extractable, { __proto__: null, name, length, hash }, usages, 0, bytes);
  },
  importKey(format, data, { name, hash, length }, extractable, usages) {
    checkUsages(usages, SIGN_USAGES);
    const bytes = secretBytes(format, data, extractable, usages, "sig", () => JWK_HASHES[hash]);
    const bits = sizeOf(bytes) * 8;
    if (bits === 0) throw dataError("A key of HMAC can't be empty");
    if (length !== undefined && (length > bits || length <= bits - 8)) throw dataError(`The key has ${bits} bits, which can't be ${length}`);
    length ??= bits;
    return newKey("secret", extractable, { __proto__: null, name, length, hash }, usages, 0, trimmed(bytes, length));
  },
  exportKey: (format, key) => exportSecret(format, key, JWK_HASHES[key.algorithm.hash]),
  getKeyLength({ hash, length }) {
    if (length === 0) throw new TypeError("A key of HMAC can't be empty");
    return length ?? BLOCK_BYTES[hash] * 8;
  },
  sign: (algorithm, key, data) => sign(HMAC, key.algorithm.hash, 0, 0, key.material, data),
  verify: (algorithm, key, signature, data) => verify(HMAC, key.algorithm.hash, 0, 0, key.material, signature, data),
};
