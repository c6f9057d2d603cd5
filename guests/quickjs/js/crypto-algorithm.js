// Algorithms as programs name them (Web Crypto, section 18.4): which there are
// for each operation, and the dictionaries of their parameters, read in the
// order that Web IDL gives. Bytes among them are copied.
import { DOMException, TypeError } from "mayfly:intrinsics";
import { copyOf } from "mayfly:crypto-bytes";
import { keyOf } from "mayfly:crypto-key";
import { MathTrunc, NumberIsFinite, StringFromCharCode, StringPrototypeCharCodeAt, TypedArrayPrototypeGetTag, bytesCopy } from "mayfly:primordials";

// asciiUpper leaves what is not ASCII alone: "ſ" is no S.
function asciiUpper(text) {
  let upper = "";
  for (let i = 0; i < text.length; i++) {
    const c = StringPrototypeCharCodeAt(text, i);
    upper += StringFromCharCode(c >= 97 && c <= 122 ? c - 32 : c);
  }
  return upper;
}

function member(dictionary, name) {
  const value = dictionary[name];
  if (value === undefined) throw new TypeError(`The algorithm's member "${name}" is required`);
  return value;
}

// integer is a number under [EnforceRange].
function integer(value, limit, name) {
  const n = MathTrunc(+value);
  if (!NumberIsFinite(n) || n < 0 || n > limit) throw new TypeError(`The algorithm's member "${name}" is not an integer from 0 to ${limit}`);
  return n + 0;
}

const OCTET = 0xff;
const SHORT = 0xffff;
const LONG = 0xffffffff;

const requiredBytes = (a, name) => copyOf(member(a, name), `The algorithm's member "${name}"`);
const optionalBytes = (a, name) => {
  const value = a[name];
  return value === undefined ? undefined : copyOf(value, `The algorithm's member "${name}"`);
};
const optionalInteger = (a, name, limit) => {
  const value = a[name];
  return value === undefined ? undefined : integer(value, limit, name);
};
const hashOf = (a) => normalize("hash", member(a, "hash")).name;

const plain = (name) => ({ __proto__: null, name });
const aesLength = (name, a) => ({ __proto__: null, name, length: integer(member(a, "length"), SHORT, "length") });
const aesCbc = (name, a) => ({ __proto__: null, name, iv: requiredBytes(a, "iv") });
const aesCtr = (name, a) => ({ __proto__: null, name, counter: requiredBytes(a, "counter"), length: integer(member(a, "length"), OCTET, "length") });
const aesGcm = (name, a) => ({
  __proto__: null, name, additionalData: optionalBytes(a, "additionalData"), iv: requiredBytes(a, "iv"), tagLength: optionalInteger(a, "tagLength", OCTET),
});
const hmac = (name, a) => ({ __proto__: null, name, hash: hashOf(a), length: optionalInteger(a, "length", LONG) });
const hashed = (name, a) => ({ __proto__: null, name, hash: hashOf(a) });
const rsaKeyGen = (name, a) => {
  const modulusLength = integer(member(a, "modulusLength"), LONG, "modulusLength");
  const exponent = member(a, "publicExponent");
  if (TypedArrayPrototypeGetTag(exponent) !== "Uint8Array") throw new TypeError('The algorithm\'s member "publicExponent" is not a Uint8Array');
  return { __proto__: null, name, modulusLength, publicExponent: bytesCopy(exponent), hash: hashOf(a) };
};
const rsaPss = (name, a) => ({ __proto__: null, name, saltLength: integer(member(a, "saltLength"), LONG, "saltLength") });
const rsaOaep = (name, a) => ({ __proto__: null, name, label: optionalBytes(a, "label") });
const curve = (name, a) => ({ __proto__: null, name, namedCurve: `${member(a, "namedCurve")}` });
const agreement = (name, a) => ({ __proto__: null, name, public: keyOf(member(a, "public"), 'The algorithm\'s member "public"') });
const hkdf = (name, a) => ({ __proto__: null, name, hash: hashOf(a), info: requiredBytes(a, "info"), salt: requiredBytes(a, "salt") });
const pbkdf2 = (name, a) => ({
  __proto__: null, name, hash: hashOf(a), iterations: integer(member(a, "iterations"), LONG, "iterations"), salt: requiredBytes(a, "salt"),
});

// registered: operation → name in capitals → its own name and its dictionary.
const registered = { __proto__: null };

function register(operations, name, read) {
  for (let i = 0; i < operations.length; i++) (registered[operations[i]] ??= { __proto__: null })[asciiUpper(name)] = [name, read];
}

for (const name of ["SHA-1", "SHA-256", "SHA-384", "SHA-512"]) register(["digest", "hash"], name, plain);
register(["digest"], "MD5", plain); // which workers have
for (const name of ["RSASSA-PKCS1-v1_5", "RSA-PSS", "RSA-OAEP"]) {
  register(["generateKey"], name, rsaKeyGen);
  register(["importKey"], name, hashed);
  register(["exportKey"], name, plain);
}
register(["sign", "verify"], "RSASSA-PKCS1-v1_5", plain);
register(["sign", "verify"], "RSA-PSS", rsaPss);
register(["encrypt", "decrypt"], "RSA-OAEP", rsaOaep);
for (const name of ["ECDSA", "ECDH"]) {
  register(["generateKey", "importKey"], name, curve);
  register(["exportKey"], name, plain);
}
register(["sign", "verify"], "ECDSA", hashed);
register(["deriveBits"], "ECDH", agreement);
for (const name of ["Ed25519", "X25519"]) register(["generateKey", "importKey", "exportKey"], name, plain);
register(["sign", "verify"], "Ed25519", plain);
register(["deriveBits"], "X25519", agreement);
for (const name of ["AES-CTR", "AES-CBC", "AES-GCM", "AES-KW"]) {
  register(["generateKey", "get key length"], name, aesLength);
  register(["importKey", "exportKey"], name, plain);
}
register(["encrypt", "decrypt"], "AES-CTR", aesCtr);
register(["encrypt", "decrypt"], "AES-CBC", aesCbc);
register(["encrypt", "decrypt"], "AES-GCM", aesGcm);
register(["wrapKey", "unwrapKey"], "AES-KW", plain);
register(["generateKey", "importKey", "get key length"], "HMAC", hmac);
register(["sign", "verify", "exportKey"], "HMAC", plain);
for (const name of ["HKDF", "PBKDF2"]) register(["importKey", "get key length"], name, plain);
register(["deriveBits"], "HKDF", hkdf);
register(["deriveBits"], "PBKDF2", pbkdf2);

// normalize answers an algorithm's own name and its parameters, in an object
// without a prototype.
export function normalize(operation, algorithm) {
  const dictionary = typeof algorithm === "object" && algorithm !== null || typeof algorithm === "function" ? algorithm : { __proto__: null, name: `${algorithm}` };
  const name = `${member(dictionary, "name")}`;
  const found = registered[operation][asciiUpper(name)];
  if (found === undefined) throw new DOMException("Unrecognized algorithm name", "NotSupportedError");
  return found[1](found[0], dictionary);
}

export const supports = (operation, name) => registered[operation][asciiUpper(name)] !== undefined;
