// node:crypto, of what the host's libraries do: hashes, AES, RSA, the curves of
// NIST and 25519, derivations, keys in their formats.
//
// Missing on purpose: finite-field Diffie-Hellman, DSA, X.509 objects, primes,
// encrypted private keys, the older padding of RSA's encryption.
import { crypto as webcrypto } from "mayfly:crypto";
import { Cipheriv, Decipheriv, getCipherInfo, getCiphers } from "mayfly:node-crypto-cipher";
import * as derivation from "mayfly:node-crypto-derive";
import { Hash, Hmac, hash } from "mayfly:node-crypto-hash";
import { getHashes } from "mayfly:node-crypto-input";
import { KeyObject, createPrivateKey, createPublicKey, createSecretKey, getCurves } from "mayfly:node-crypto-key";
import {
  ECDH, RSA_PKCS1_OAEP_PADDING, RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING, Sign, Verify, createECDH, diffieHellman, privateDecrypt, publicEncrypt, sign, verify,
} from "mayfly:node-crypto-sign";

const { subtle } = webcrypto;
const getRandomValues = (array) => webcrypto.getRandomValues(array);

const constants = Object.freeze({
  __proto__: null,
  RSA_PKCS1_PADDING, RSA_NO_PADDING: 3, RSA_PKCS1_OAEP_PADDING, RSA_X931_PADDING: 5, RSA_PKCS1_PSS_PADDING,
  RSA_PSS_SALTLEN_DIGEST: -1, RSA_PSS_SALTLEN_MAX_SIGN: -2, RSA_PSS_SALTLEN_AUTO: -2,
  POINT_CONVERSION_COMPRESSED: 2, POINT_CONVERSION_UNCOMPRESSED: 4, POINT_CONVERSION_HYBRID: 6,
});

const createHash = (algorithm, options) => new Hash(algorithm, options);
const createHmac = (hmac, key, options) => new Hmac(hmac, key, options);
const createCipheriv = (cipher, key, iv, options) => new Cipheriv(cipher, key, iv, options);
const createDecipheriv = (cipher, key, iv, options) => new Decipheriv(cipher, key, iv, options);
const createSign = (algorithm, options) => new Sign(algorithm, options);
const createVerify = (algorithm, options) => new Verify(algorithm, options);
const getFips = () => 0;

export const {
  generateKey, generateKeyPair, generateKeyPairSync, generateKeySync, hkdf, hkdfSync, pbkdf2, pbkdf2Sync, randomBytes, randomFill, randomFillSync, randomInt,
  randomUUID, scrypt, scryptSync, timingSafeEqual,
} = derivation;
export {
  Cipheriv, Decipheriv, ECDH, Hash, Hmac, KeyObject, Sign, Verify, constants, createCipheriv, createDecipheriv, createECDH, createHash, createHmac, createPrivateKey,
  createPublicKey, createSecretKey, createSign, createVerify, diffieHellman, getCipherInfo, getCiphers, getCurves, getFips, getHashes, getRandomValues, hash,
  privateDecrypt, publicEncrypt, sign, subtle, verify, webcrypto,
};
export const prng = randomBytes;
export const pseudoRandomBytes = randomBytes;
export default {
  Cipheriv, Decipheriv, ECDH, Hash, Hmac, KeyObject, Sign, Verify, constants, createCipheriv, createDecipheriv, createECDH, createHash, createHmac, createPrivateKey,
  createPublicKey, createSecretKey, createSign, createVerify, diffieHellman, generateKey, generateKeyPair, generateKeyPairSync, generateKeySync, getCipherInfo,
  getCiphers, getCurves, getFips, getHashes, getRandomValues, hash, hkdf, hkdfSync, pbkdf2, pbkdf2Sync, privateDecrypt, prng, pseudoRandomBytes, publicEncrypt,
  randomBytes, randomFill, randomFillSync, randomInt, randomUUID, scrypt, scryptSync, sign, subtle, timingSafeEqual, verify, webcrypto,
};
