// ECDSA, ECDH, Ed25519 and X25519 (Web Crypto, sections 23 to 26).
import { sizeOf } from "mayfly:crypto-bytes";
import {
  CURVES, CURVE_NAMES, ECDSA, ED25519, EDDSA, X25519, agree, exportKey, generate, importKey, importMembers, none, sign, verify,
} from "mayfly:crypto-host";
import { checkJWK, dataError, formatJWK, membersOf } from "mayfly:crypto-jwk";
import { checkUsages, invalidAccess, newKey, newPair, notSupported, operationError, requireType, requireUsages } from "mayfly:crypto-operation";
import { orderedUsages } from "mayfly:crypto-key";
import { bytesCopy, bytesSubarray } from "mayfly:primordials";

// curves makes the operations that a key of a curve has. kindOf finds the kind
// of key that an algorithm means.
function curves(kty, use, publicUsages, privateUsages, kindOf, keyAlgorithm, checkAlg, operations) {
  const all = [...publicUsages, ...privateUsages];
  const members = kty === "EC" ? ["crv", "x", "y", "d"] : ["crv", "x", "d"];
  return {
    __proto__: null,
    generateKey(algorithm, extractable, usages) {
      checkUsages(usages, all);
      const kind = kindOf(algorithm);
      requireUsages(orderedUsages(usages, privateUsages));
      return newPair(generate(kind, 0, none), extractable, keyAlgorithm(algorithm), usages, kind, publicUsages, privateUsages);
    },
    importKey(format, data, algorithm, extractable, usages) {
      let key;
      switch (format) {
        case "raw": case "spki":
          checkUsages(usages, publicUsages);
          key = importKey(kindOf(algorithm), format, data);
          break;
        case "pkcs8":
          checkUsages(usages, privateUsages);
          key = importKey(kindOf(algorithm), format, data);
          break;
        case "jwk": {
          checkUsages(usages, data.d === undefined ? publicUsages : privateUsages);
          checkJWK(data, kty, use, extractable, usages);
          const kind = kindOf(algorithm);
          if (data.crv !== CURVE_NAMES[kind]) throw dataError(`The JWK's member "crv" is not "${CURVE_NAMES[kind]}"`);
          if (data.alg !== undefined && !checkAlg(data.alg, kind)) throw dataError('The JWK\'s member "alg" is not that of the key');
          key = importMembers(kind, membersOf(data, members));
          break;
        }
        default:
          throw notSupported(`The key has no format "${format}"`);
      }
      return newKey(key.isPrivate ? "private" : "public", extractable, keyAlgorithm(algorithm), usages, key.kind, key.material);
    },
    exportKey(format, key) {
      switch (format) {
        case "raw": case "spki": requireType(key, "public"); break;
        case "pkcs8": requireType(key, "private"); break;
        case "jwk": return formatJWK(kty, undefined, key, key.kind);
        default: throw notSupported(`The key has no format "${format}"`);
      }
      if (format === "raw") return bytesCopy(key.material);
      return exportKey(key.kind, key.type === "private", format, key.material);
    },
    ...operations,
  };
}

function namedKind({ namedCurve }) {
  const kind = CURVES[namedCurve];
  if (kind === undefined) throw notSupported("Unrecognized named curve");
  return kind;
}
const namedAlgorithm = ({ name, namedCurve }) => ({ __proto__: null, name, namedCurve });
const plainAlgorithm = ({ name }) => ({ __proto__: null, name });

const JWK_CURVES = { __proto__: null, ES256: "P-256", ES384: "P-384", ES512: "P-521" };

export const ecdsa = curves("EC", "sig", ["verify"], ["sign"], namedKind, namedAlgorithm, (alg, kind) => JWK_CURVES[alg] === CURVE_NAMES[kind], {
  sign({ hash }, key, data) {
    requireType(key, "private");
    return sign(ECDSA, hash, 0, key.kind, key.material, data);
  },
  verify({ hash }, key, signature, data) {
    requireType(key, "public");
    return verify(ECDSA, hash, 0, key.kind, key.material, signature, data);
  },
});

export const ed25519 = curves("OKP", "sig", ["verify"], ["sign"], () => ED25519, plainAlgorithm, (alg) => alg === "EdDSA" || alg === "Ed25519", {
  sign(algorithm, key, data) {
    requireType(key, "private");
    return sign(EDDSA, undefined, 0, ED25519, key.material, data);
  },
  verify(algorithm, key, signature, data) {
    requireType(key, "public");
    return verify(EDDSA, undefined, 0, ED25519, key.material, signature, data);
  },
});

// firstBits answers that many bits, and zeros to the end of the last byte.
export function firstBits(bytes, bits) {
  const n = (bits + 7 - (bits + 7) % 8) / 8;
  if (n > sizeOf(bytes)) throw operationError("The secret is shorter than what is asked for");
  const first = bytesCopy(bytesSubarray(bytes, 0, n));
  if (bits % 8 !== 0) first[n - 1] &= 0xff00 >> (bits % 8);
  return first;
}

const agreement = {
  deriveBits(algorithm, key, length) {
    const peer = algorithm.public;
    requireType(key, "private");
    requireType(peer, "public");
    if (peer.algorithm.name !== key.algorithm.name) throw invalidAccess("The public key is of another algorithm");
    if (peer.kind !== key.kind) throw invalidAccess("The public key is on another curve");
    const secret = agree(key.kind, key.material, peer.material);
    return length === null ? secret : firstBits(secret, length);
  },
};

export const ecdh = curves("EC", "enc", [], ["deriveKey", "deriveBits"], namedKind, namedAlgorithm, () => true, agreement);
export const x25519 = curves("OKP", "enc", [], ["deriveKey", "deriveBits"], () => X25519, plainAlgorithm, () => true, agreement);
