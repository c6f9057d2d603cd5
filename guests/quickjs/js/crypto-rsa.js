// RSASSA-PKCS1-v1_5, RSA-PSS and RSA-OAEP (Web Crypto, sections 20 to 22).
import { sizeOf } from "mayfly:crypto-bytes";
import { HASHES, OAEP, PKCS1, PSS, RSA, cipher, exportKey, generate, importKey, importMembers, none, sign, verify } from "mayfly:crypto-host";
import { checkJWK, dataError, formatJWK, membersOf } from "mayfly:crypto-jwk";
import { checkUsages, newKey, newPair, notSupported, operationError, requireType, requireUsages } from "mayfly:crypto-operation";
import { orderedUsages } from "mayfly:crypto-key";

const NUMBERS = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
const PUBLIC_NUMBERS = ["n", "e"];

// checkExponent refuses what can't be a public exponent, or is larger than the
// host's library takes.
function checkExponent(bytes) {
  let value = 0;
  for (let i = 0; i < sizeOf(bytes); i++) {
    value = value * 256 + bytes[i];
    if (value > 0x7fffffff) throw operationError("The public exponent is too large");
  }
  if (value < 3 || value % 2 === 0) throw operationError("The public exponent has to be odd and at least 3");
}

function rsa(name, jwkAlg, use, publicUsages, privateUsages, operations) {
  const all = [...publicUsages, ...privateUsages];
  return {
    __proto__: null,
    generateKey({ modulusLength, publicExponent, hash }, extractable, usages) {
      checkUsages(usages, all);
      checkExponent(publicExponent);
      if (modulusLength < 1024 || modulusLength > 4096) throw operationError("The modulus has to have from 1024 to 4096 bits");
      requireUsages(orderedUsages(usages, privateUsages));
      const algorithm = { __proto__: null, name, modulusLength, publicExponent, hash };
      return newPair(generate(RSA, modulusLength, publicExponent), extractable, algorithm, usages, RSA, publicUsages, privateUsages);
    },
    importKey(format, data, { hash }, extractable, usages) {
      let key;
      switch (format) {
        case "spki":
          checkUsages(usages, publicUsages);
          key = importKey(RSA, format, data);
          break;
        case "pkcs8":
          checkUsages(usages, privateUsages);
          key = importKey(RSA, format, data);
          break;
        case "jwk": {
          checkUsages(usages, data.d === undefined ? publicUsages : privateUsages);
          checkJWK(data, "RSA", use, extractable, usages);
          const alg = jwkAlg[hash];
          if (data.alg !== undefined && data.alg !== alg) throw dataError(`The JWK's member "alg" is not "${alg}"`);
          if (data.oth !== undefined) throw notSupported("Keys of more than two primes are not supported");
          key = importMembers(RSA, membersOf(data, data.d === undefined ? PUBLIC_NUMBERS : NUMBERS));
          break;
        }
        default:
          throw notSupported(`The key has no format "${format}"`);
      }
      const algorithm = { __proto__: null, name, modulusLength: key.bits, publicExponent: key.exponent, hash };
      return newKey(key.isPrivate ? "private" : "public", extractable, algorithm, usages, RSA, key.material);
    },
    exportKey(format, key) {
      switch (format) {
        case "spki": requireType(key, "public"); break;
        case "pkcs8": requireType(key, "private"); break;
        case "jwk": return formatJWK("RSA", jwkAlg[key.algorithm.hash], key, RSA);
        default: throw notSupported(`The key has no format "${format}"`);
      }
      return exportKey(RSA, key.type === "private", format, key.material);
    },
    ...operations,
  };
}

const signature = (scheme) => ({
  sign(algorithm, key, data) {
    requireType(key, "private");
    return sign(scheme, key.algorithm.hash, algorithm.saltLength ?? 0, RSA, key.material, data);
  },
  verify(algorithm, key, bytes, data) {
    requireType(key, "public");
    return verify(scheme, key.algorithm.hash, algorithm.saltLength ?? 0, RSA, key.material, bytes, data);
  },
});

export const rsaPkcs1 = rsa("RSASSA-PKCS1-v1_5", { __proto__: null, "SHA-1": "RS1", "SHA-256": "RS256", "SHA-384": "RS384", "SHA-512": "RS512" },
  "sig", ["verify"], ["sign"], signature(PKCS1));
export const rsaPss = rsa("RSA-PSS", { __proto__: null, "SHA-1": "PS1", "SHA-256": "PS256", "SHA-384": "PS384", "SHA-512": "PS512" },
  "sig", ["verify"], ["sign"], signature(PSS));
export const rsaOaep = rsa("RSA-OAEP", { __proto__: null, "SHA-1": "RSA-OAEP", "SHA-256": "RSA-OAEP-256", "SHA-384": "RSA-OAEP-384", "SHA-512": "RSA-OAEP-512" },
  "enc", ["encrypt", "wrapKey"], ["decrypt", "unwrapKey"], {
    encrypt({ label = none }, key, data) {
      requireType(key, "public");
      return cipher(OAEP, false, key.material, none, HASHES[key.algorithm.hash], label, data);
    },
    decrypt({ label = none }, key, data) {
      requireType(key, "private");
      return cipher(OAEP, true, key.material, none, HASHES[key.algorithm.hash], label, data);
    },
  });
