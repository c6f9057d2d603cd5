// KeyObject of node:crypto, and the functions that make one. Its key is what a
// CryptoKey has: bytes, in the form that host/crypto has for its kind.
import { BigInt, Error, TypeError } from "mayfly:intrinsics";
import { asBuffer } from "mayfly:buffer";
import { bytesOf, sizeOf } from "mayfly:crypto-bytes";
import { ED25519, OCTETS, RSA, X25519, exportKey, exportMembers, importKey, importMembers, publicOf, sameBytes } from "mayfly:crypto-host";
import { isCryptoKey, keyOf } from "mayfly:crypto-key";
import { utf8Decode } from "mayfly:host";
import { brands } from "mayfly:key-brands";
import { inputBytes } from "mayfly:node-crypto-input";
import { formatPEM, parsePEM, unsupported } from "mayfly:node-crypto-pem";
import { coded, invalidArgType, invalidArgValue } from "mayfly:node-errors";
import { ObjectDefineProperty, SymbolToStringTag, bytesCopy } from "mayfly:primordials";

const NODE_CURVES = ["", "", "prime256v1", "secp384r1", "secp521r1"];
const CURVE_KINDS = { __proto__: null, "P-256": 2, prime256v1: 2, secp256r1: 2, "P-384": 3, secp384r1: 3, "P-521": 4, secp521r1: 4 };
export const getCurves = () => ["prime256v1", "secp384r1", "secp521r1"];
export function curveKind(name, error) {
  const kind = CURVE_KINDS[name];
  if (kind === undefined) throw error;
  return kind;
}

let slotsOf;
let has;
let internal = false;

// A KeyObject has slots: type, kind (0 for a secret one), material, and of RSA
// bits and exponent.
export class KeyObject {
  #slots;

  constructor(slots) {
    if (!internal) throw coded(new TypeError("Illegal constructor"), "ERR_ILLEGAL_CONSTRUCTOR");
    this.#slots = slots;
  }

  static from(key) {
    if (!isCryptoKey(key)) throw invalidArgType("key", "an instance of CryptoKey", key);
    const { type, kind, material, algorithm } = keyOf(key, "key");
    return makeKeyObject({ __proto__: null, type, kind, material, bits: algorithm.modulusLength, exponent: algorithm.publicExponent });
  }

  get type() { return this.#slots.type; }

  get symmetricKeySize() { return this.#slots.type === "secret" ? sizeOf(this.#slots.material) : undefined; }

  get asymmetricKeyType() {
    switch (this.#slots.kind) {
      case 0: return undefined;
      case RSA: return "rsa";
      case ED25519: return "ed25519";
      case X25519: return "x25519";
      default: return "ec";
    }
  }

  get asymmetricKeyDetails() {
    const { kind, bits, exponent } = this.#slots;
    if (kind === 0) return undefined;
    if (kind === RSA) {
      let number = 0;
      for (let i = 0; i < sizeOf(exponent); i++) number = number * 256 + exponent[i];
      return { modulusLength: bits, publicExponent: BigInt(number) };
    }
    return NODE_CURVES[kind] === undefined ? {} : { namedCurve: NODE_CURVES[kind] };
  }

  export(options = undefined) { return exportObject(this.#slots, options); }

  equals(other) {
    if (!has(other)) throw invalidArgType("otherKeyObject", "an instance of KeyObject", other);
    const a = this.#slots;
    const b = slotsOf(other);
    return a.type === b.type && a.kind === b.kind && sameBytes(a.material, b.material);
  }

  static {
    slotsOf = (key) => key.#slots;
    has = (value) => typeof value === "object" && value !== null && #slots in value;
  }
}
ObjectDefineProperty(KeyObject.prototype, SymbolToStringTag, { __proto__: null, value: "KeyObject", configurable: true });

export class SecretKeyObject extends KeyObject {}
export class PublicKeyObject extends KeyObject {}
export class PrivateKeyObject extends KeyObject {}

export function makeKeyObject(slots) {
  internal = true;
  try {
    switch (slots.type) {
      case "secret": return new SecretKeyObject(slots);
      case "public": return new PublicKeyObject(slots);
      default: return new PrivateKeyObject(slots);
    }
  } finally {
    internal = false;
  }
}

export const isKeyObject = has;
brands.isKeyObject = has;

const exportLabels = { __proto__: null, spki: "PUBLIC KEY", pkcs8: "PRIVATE KEY", sec1: "EC PRIVATE KEY" };

// exportObject is KeyObject.export.
export function exportObject(slots, options) {
  const { type, kind, material } = slots;
  if (type === "secret") {
    const format = options?.format;
    if (format === undefined || format === "buffer") return asBuffer(bytesCopy(material));
    if (format !== "jwk") throw invalidArgValue("options.format", format);
    return { kty: "oct", k: exportMembers(OCTETS, false, material)[0][1] };
  }
  if (typeof options !== "object" || options === null) throw invalidArgType("options", "of type object", options);
  if (options.format === "jwk") {
    const jwk = { kty: kind === RSA ? "RSA" : kind === ED25519 || kind === X25519 ? "OKP" : "EC" };
    const members = exportMembers(kind, type === "private", material);
    for (let i = 0; i < members.length; i++) jwk[members[i][0]] = members[i][1];
    return jwk;
  }
  let encoding = options.type;
  switch (encoding) {
    case "spki": if (type !== "public") throw invalidArgValue("options.type", encoding); break;
    case "pkcs8": case "sec1": if (type !== "private" || encoding === "sec1" && NODE_CURVES[kind] === undefined) throw invalidArgValue("options.type", encoding); break;
    case "pkcs1": if (kind !== RSA) throw coded(new Error("The selected key encoding pkcs1 can only be used for RSA keys."), "ERR_CRYPTO_INCOMPATIBLE_KEY_OPTIONS"); break;
    default: throw invalidArgValue("options.type", encoding);
  }
  if (options.cipher !== undefined && options.cipher !== null) throw coded(new Error("Encrypted private keys are not supported"), "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM");
  const bytes = exportKey(kind, type === "private", encoding, material);
  switch (options.format) {
    case "der": return asBuffer(bytes);
    case "pem": return formatPEM(encoding === "pkcs1" ? `RSA ${type === "private" ? "PRIVATE" : "PUBLIC"} KEY` : exportLabels[encoding], bytes);
  }
  throw invalidArgValue("options.format", options.format);
}

export function createSecretKey(key, encoding = undefined) {
  const bytes = typeof key === "string" ? inputBytes(key, "key", encoding) : bytesOf(key);
  if (bytes === undefined) throw invalidArgType("key", "of type string or an instance of ArrayBuffer, Buffer, TypedArray, or DataView", key);
  return makeKeyObject({ __proto__: null, type: "secret", kind: 0, material: bytesCopy(bytes) });
}

// ownKey makes slots of what the host has read.
const ownKey = (key) => ({ __proto__: null, type: key.isPrivate ? "private" : "public", kind: key.kind, material: key.material, bits: key.bits, exponent: key.exponent });

const JWK_KINDS = { __proto__: null, RSA, Ed25519: ED25519, X25519, "P-256": 2, "P-384": 3, "P-521": 4 };
const JWK_MEMBERS = ["crv", "x", "y", "d", "n", "e", "p", "q", "dp", "dq", "qi"];

function fromJWK(jwk, wantPrivate) {
  if (typeof jwk !== "object" || jwk === null) throw invalidArgType("key.key", "of type object", jwk);
  if (jwk.kty === "oct") throw coded(new Error("Invalid JWK data"), "ERR_CRYPTO_INVALID_JWK");
  const kind = JWK_KINDS[jwk.kty === "RSA" ? "RSA" : jwk.crv];
  if (kind === undefined) {
    throw jwk.kty === "EC" || jwk.kty === "OKP"
      ? coded(new Error(`Invalid JWK ${jwk.kty} key`), "ERR_CRYPTO_INVALID_JWK")
      : invalidArgValue("key.key.kty", jwk.kty, "is not supported");
  }
  const members = [];
  for (let i = 0; i < JWK_MEMBERS.length; i++) {
    const value = jwk[JWK_MEMBERS[i]];
    if (value === undefined || !wantPrivate && JWK_MEMBERS[i] === "d") continue;
    if (typeof value !== "string") throw invalidArgType(`key.key.${JWK_MEMBERS[i]}`, "of type string", value);
    members[members.length] = [JWK_MEMBERS[i], value];
  }
  let key;
  try {
    key = importMembers(kind, members);
  } catch {
    throw coded(new Error("Invalid JWK data"), "ERR_CRYPTO_INVALID_JWK");
  }
  if (key.isPrivate !== wantPrivate) throw coded(new Error("Invalid JWK data"), "ERR_CRYPTO_INVALID_JWK");
  return ownKey(key);
}

function importSlots(format, bytes) {
  try {
    return ownKey(importKey(0, format, bytes));
  } catch {
    throw unsupported();
  }
}

// readKey answers the slots of a key that is given as text or bytes.
function readKey(data, format, type, encoding, wantPrivate) {
  if (format === "jwk") return fromJWK(data, wantPrivate);
  const bytes = inputBytes(data, "key.key", encoding);
  if (format === undefined || format === "pem") {
    const pem = parsePEM(utf8Decode(bytes));
    if (pem === undefined) throw unsupported();
    if (wantPrivate && !pem.isPrivate) throw unsupported();
    return importSlots(pem.format, pem.bytes);
  }
  if (format !== "der") throw invalidArgValue("key.format", format);
  switch (type) {
    case "pkcs1": case "pkcs8": case "sec1": case "spki": return importSlots(type, bytes);
  }
  throw invalidArgValue("key.type", type);
}

const asPublic = (slots) => slots.type === "public" ? slots
  : { __proto__: null, type: "public", kind: slots.kind, material: publicOf(slots.kind, slots.material), bits: slots.bits, exponent: slots.exponent };

function wrongType(type, wanted) {
  return coded(new TypeError(`Invalid key object type ${type}, expected ${wanted}.`), "ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE");
}

const KEY_KINDS = "of type string or an instance of ArrayBuffer, Buffer, TypedArray, DataView, or KeyObject";

// keySlots answers the slots of a key argument: a KeyObject, a CryptoKey, text,
// bytes, or an object with one of them and what is to be known of it. A private
// key will do where a public one is wanted.
export function keySlots(key, wantPrivate) {
  if (has(key) || isCryptoKey(key)) {
    const slots = slotsOf(has(key) ? key : KeyObject.from(key));
    if (slots.type === "secret" || wantPrivate && slots.type !== "private") throw wrongType(slots.type, wantPrivate ? "private" : "private or public");
    return wantPrivate ? slots : asPublic(slots);
  }
  let slots;
  if (typeof key === "string" || bytesOf(key) !== undefined) slots = readKey(key, "pem", undefined, undefined, wantPrivate);
  else if (typeof key === "object" && key !== null) {
    const data = key.key;
    if (has(data) || isCryptoKey(data)) return keySlots(data, wantPrivate);
    if (key.format === "jwk" || typeof data === "string" || bytesOf(data) !== undefined) slots = readKey(data, key.format, key.type, key.encoding, wantPrivate);
  }
  if (slots === undefined) throw invalidArgType("key", KEY_KINDS, key);
  if (wantPrivate && slots.type !== "private") throw unsupported();
  return wantPrivate ? slots : asPublic(slots);
}

export function createPrivateKey(key) {
  if (has(key)) throw invalidArgType("key", "of type string or an instance of ArrayBuffer, Buffer, TypedArray, or DataView", key);
  return makeKeyObject(keySlots(key, true));
}

export function createPublicKey(key) {
  if (has(key) && key.type !== "private") throw wrongType(key.type, "private");
  return makeKeyObject(keySlots(key, false));
}

// keyBytes answers the bytes of a secret key argument.
export function keyBytes(key, encoding = undefined, name = "key") {
  if (has(key) || isCryptoKey(key)) {
    const slots = slotsOf(has(key) ? key : KeyObject.from(key));
    if (slots.type !== "secret") throw wrongType(slots.type, "secret");
    return slots.material;
  }
  const bytes = typeof key === "string" ? inputBytes(key, name, encoding) : bytesOf(key);
  if (bytes === undefined) throw invalidArgType(name, "of type string or an instance of ArrayBuffer, Buffer, TypedArray, DataView, KeyObject, or CryptoKey", key);
  return bytes;
}

