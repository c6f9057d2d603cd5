// Derivations, generation of keys, and random numbers in node:crypto.
import { RangeError, Symbol, TypeError, Uint8Array } from "mayfly:intrinsics";
import { asBuffer } from "mayfly:buffer";
import { bufferOf, bytesOf, sizeOf } from "mayfly:crypto-bytes";
import { ED25519, RSA, X25519, generate, hkdf as hkdfBytes, none, pbkdf2 as pbkdf2Bytes, random, randomInto, sameBytes, scrypt as scryptBytes } from "mayfly:crypto-host";
import { crypto } from "mayfly:crypto";
import { HASH_BYTES, inputBytes, later, requireFunction, requireHash, requireInteger } from "mayfly:node-crypto-input";
import { curveKind, exportObject, keyBytes, makeKeyObject } from "mayfly:node-crypto-key";
import { coded, invalidArgType, invalidArgValue, outOfRange } from "mayfly:node-errors";
import { process } from "mayfly:process";
import { NumberIsSafeInteger, ObjectDefineProperty, TypedArrayPrototypeGetLength, TypedArrayPrototypeGetTag, bytesSubarray, newPromise } from "mayfly:primordials";

const INT = 2 ** 31 - 1;

// Arguments are checked at once; what a …Work answers does the rest.
function pbkdf2Work(password, salt, iterations, keylen, digest) {
  const hash = requireHash(digest);
  const secret = keyBytes(password, "utf8", "password");
  const bytes = inputBytes(salt, "salt");
  requireInteger(iterations, "iterations", 1, INT);
  requireInteger(keylen, "keylen", 0, INT);
  return () => asBuffer(pbkdf2Bytes(hash, iterations, keylen, secret, bytes));
}

export const pbkdf2Sync = (password, salt, iterations, keylen, digest) => pbkdf2Work(password, salt, iterations, keylen, digest)();
export function pbkdf2(password, salt, iterations, keylen, digest, callback) {
  if (typeof digest === "function") throw invalidArgType("digest", "of type string", undefined);
  const work = pbkdf2Work(password, salt, iterations, keylen, digest);
  later(requireFunction(callback), work);
}

const invalidScrypt = (reason = "") => coded(new RangeError(`Invalid scrypt params${reason}`), "ERR_CRYPTO_INVALID_SCRYPT_PARAMS");

function scryptWork(password, salt, keylen, options) {
  const secret = keyBytes(password, "utf8", "password");
  const bytes = inputBytes(salt, "salt");
  requireInteger(keylen, "keylen", 0, INT);
  const cost = options?.N ?? options?.cost ?? 16384;
  const size = options?.r ?? options?.blockSize ?? 8;
  const lanes = options?.p ?? options?.parallelization ?? 1;
  const memory = options?.maxmem ?? 32 << 20;
  for (const value of [cost, size, lanes, memory]) {
    if (typeof value !== "number" || !NumberIsSafeInteger(value) || value < 0) throw invalidArgValue("options", value);
  }
  if (cost < 2 || (cost & (cost - 1)) !== 0 || cost > INT || size < 1 || lanes < 1) throw invalidScrypt();
  if (128 * size * (cost + lanes + 2) > memory + 4096 * size || size * lanes >= 2 ** 30) throw invalidScrypt(": memory limit exceeded");
  return () => asBuffer(scryptBytes(cost, size, lanes, keylen, secret, bytes));
}

export const scryptSync = (password, salt, keylen, options = undefined) => scryptWork(password, salt, keylen, options)();
export function scrypt(password, salt, keylen, options, callback) {
  if (callback === undefined) {
    callback = options;
    options = undefined;
  }
  const work = scryptWork(password, salt, keylen, options);
  later(requireFunction(callback), work);
}

function hkdfWork(digest, ikm, salt, info, keylen) {
  const hash = requireHash(digest);
  const secret = keyBytes(ikm, "utf8", "ikm");
  const saltBytes = inputBytes(salt, "salt");
  const infoBytes = inputBytes(info, "info");
  requireInteger(keylen, "length", 0, INT);
  if (sizeOf(infoBytes) > 1024) throw outOfRange("info", "must not contain more than 1024 bytes", sizeOf(infoBytes));
  if (keylen > 255 * HASH_BYTES[hash]) throw coded(new RangeError("Invalid key length"), "ERR_CRYPTO_INVALID_KEYLEN");
  return () => bufferOf(hkdfBytes(hash, keylen, secret, saltBytes, infoBytes));
}

export const hkdfSync = (digest, ikm, salt, info, keylen) => hkdfWork(digest, ikm, salt, info, keylen)();
export function hkdf(digest, ikm, salt, info, keylen, callback) {
  const work = hkdfWork(digest, ikm, salt, info, keylen);
  later(requireFunction(callback), work);
}

// Keys.

function exponentBytes(value = 65537) {
  requireInteger(value, "options.publicExponent", 0, 2 ** 32 - 1);
  return new Uint8Array([value >>> 24, value >>> 16, value >>> 8, value]);
}

function pairWork(type, options) {
  if (typeof type !== "string") throw invalidArgType("type", "of type string", type);
  let kind, bits, exponent = none;
  switch (type) {
    case "rsa":
      if (typeof options !== "object" || options === null) throw invalidArgType("options", "of type object", options);
      kind = RSA;
      bits = requireInteger(options.modulusLength, "options.modulusLength", 0, 2 ** 32 - 1);
      exponent = exponentBytes(options.publicExponent);
      break;
    case "ec":
      if (typeof options?.namedCurve !== "string") throw invalidArgType("options.namedCurve", "of type string", options?.namedCurve);
      kind = curveKind(options.namedCurve, coded(new TypeError("Invalid EC curve name"), "ERR_CRYPTO_INVALID_CURVE"));
      break;
    case "ed25519": kind = ED25519; break;
    case "x25519": kind = X25519; break;
    default: throw invalidArgValue("type", type, "must be a supported key type");
  }
  return () => {
    const pair = generate(kind, bits ?? 0, exponent);
    const encoded = (name, material, encoding) => {
      const slots = { __proto__: null, type: name, kind, material, bits, exponent };
      return encoding === undefined ? makeKeyObject(slots) : exportObject(slots, encoding);
    };
    return {
      publicKey: encoded("public", pair.publicKey, options?.publicKeyEncoding),
      privateKey: encoded("private", pair.privateKey, options?.privateKeyEncoding),
    };
  };
}

export const generateKeyPairSync = (type, options = undefined) => pairWork(type, options)();
export function generateKeyPair(type, options, callback) {
  if (typeof options === "function") {
    callback = options;
    options = undefined;
  }
  const work = pairWork(type, options);
  requireFunction(callback);
  later((error, pair) => error ? callback(error) : callback(null, pair.publicKey, pair.privateKey), work);
}
ObjectDefineProperty(generateKeyPair, Symbol.for("nodejs.util.promisify.custom"), { // whose promise has both keys
  __proto__: null,
  value: (type, options) => newPromise((resolve, reject) => {
    generateKeyPair(type, options, (error, publicKey, privateKey) => error ? reject(error) : resolve({ publicKey, privateKey }));
  }),
});

function keyWork(type, options) {
  if (typeof type !== "string") throw invalidArgType("type", "of type string", type);
  if (typeof options !== "object" || options === null) throw invalidArgType("options", "of type object", options);
  const { length } = options;
  if (type === "hmac") requireInteger(length, "options.length", 8, INT);
  else if (type !== "aes") throw invalidArgValue("type", type, "must be a supported key type");
  else if (length !== 128 && length !== 192 && length !== 256) throw invalidArgValue("options.length", length, "must be one of: 128, 192, 256");
  return () => makeKeyObject({ __proto__: null, type: "secret", kind: 0, material: random((length - length % 8) / 8) });
}

export const generateKeySync = (type, options) => keyWork(type, options)();
export function generateKey(type, options, callback) {
  const work = keyWork(type, options);
  later(requireFunction(callback), work);
}

// Random numbers.

export function randomBytes(size, callback = undefined) {
  requireInteger(size, "size", 0, INT);
  if (callback === undefined) return asBuffer(random(size));
  later(requireFunction(callback), () => asBuffer(random(size)));
}

function fillable(buffer, offset, size) {
  const bytes = bytesOf(buffer);
  if (bytes === undefined) throw invalidArgType("buf", "an instance of ArrayBuffer or ArrayBufferView", buffer);
  const isTyped = TypedArrayPrototypeGetTag(buffer) !== undefined; // offset and size then count elements
  const width = isTyped && sizeOf(bytes) > 0 ? sizeOf(bytes) / TypedArrayPrototypeGetLength(buffer) : 1;
  const from = offset === undefined ? 0 : requireInteger(offset, "offset", 0, sizeOf(bytes) / width) * width;
  const count = size === undefined ? sizeOf(bytes) - from : requireInteger(size, "size", 0, INT) * width;
  if (from + count > sizeOf(bytes)) throw outOfRange("size + offset", `<= ${sizeOf(bytes)}`, from + count);
  return bytesSubarray(bytes, from, from + count);
}

export function randomFillSync(buffer, offset = undefined, size = undefined) {
  randomInto(fillable(buffer, offset, size));
  return buffer;
}
export function randomFill(buffer, offset, size, callback) {
  if (typeof offset === "function") {
    callback = offset;
    offset = size = undefined;
  } else if (typeof size === "function") {
    callback = size;
    size = undefined;
  }
  requireFunction(callback);
  const bytes = fillable(buffer, offset, size);
  later(callback, () => {
    randomInto(bytes);
    return buffer;
  });
}

export function randomUUID(options = undefined) {
  if (options !== undefined && (typeof options !== "object" || options === null)) throw invalidArgType("options", "of type object", options);
  return crypto.randomUUID();
}

const RANGE = 2 ** 48 - 1;

export function randomInt(min, max = undefined, callback = undefined) {
  if (max === undefined || typeof max === "function") {
    callback = max;
    max = min;
    min = 0;
  }
  if (callback !== undefined) requireFunction(callback);
  if (!NumberIsSafeInteger(min)) throw invalidArgType("min", "a safe integer", min);
  if (!NumberIsSafeInteger(max)) throw invalidArgType("max", "a safe integer", max);
  if (max <= min) throw outOfRange("max", `greater than the value of "min" (${min})`, max);
  const range = max - min;
  if (range > RANGE) throw outOfRange(max === undefined ? "max" : "max - min", `<= ${RANGE}`, range);
  const limit = RANGE + 1 - (RANGE + 1) % range;
  let value;
  do {
    const b = random(6);
    value = b[0] + 256 * (b[1] + 256 * (b[2] + 256 * (b[3] + 256 * (b[4] + 256 * b[5]))));
  } while (value >= limit);
  value = value % range + min;
  if (callback === undefined) return value;
  process.nextTick(callback, undefined, value);
}

export function timingSafeEqual(a, b) {
  const x = bytesOf(a);
  if (x === undefined) throw invalidArgType("buf1", "an instance of ArrayBuffer, Buffer, TypedArray, or DataView", a);
  const y = bytesOf(b);
  if (y === undefined) throw invalidArgType("buf2", "an instance of ArrayBuffer, Buffer, TypedArray, or DataView", b);
  if (sizeOf(x) !== sizeOf(y)) throw coded(new RangeError("Input buffers must have the same byte length"), "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH");
  return sameBytes(x, y);
}
