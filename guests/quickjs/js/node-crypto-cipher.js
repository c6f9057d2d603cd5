// Cipheriv and Decipheriv of node:crypto: AES. The host knows nothing of them
// between two parts: what a mode carries over is kept here.
import { Error, RangeError, TypeError, Uint8Array } from "mayfly:intrinsics";
import { sizeOf } from "mayfly:crypto-bytes";
import { CBC_UNPADDED, CTR, ECB_UNPADDED, GCM, GCM_STREAM, KW, cipher, none, sameBytes } from "mayfly:crypto-host";
import { inputBytes, openssl, output } from "mayfly:node-crypto-input";
import { keyBytes } from "mayfly:node-crypto-key";
import { LazyTransform } from "mayfly:node-crypto-stream";
import { coded, invalidArgType } from "mayfly:node-errors";
import { ArrayPrototypeSlice, StringPrototypeToLowerCase, TypedArrayPrototypeSet, bytesCopy, bytesSubarray } from "mayfly:primordials";

const BLOCK = 16;
const wrapIV = new Uint8Array([0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6]);

// CIPHERS: name → mode and bytes of the key.
const CIPHERS = { __proto__: null };
for (const bits of [128, 192, 256]) {
  for (const mode of ["cbc", "ctr", "gcm", "ecb"]) CIPHERS[`aes-${bits}-${mode}`] = { __proto__: null, name: `aes-${bits}-${mode}`, mode, keyLength: bits / 8 };
  CIPHERS[`aes${bits}`] = CIPHERS[`aes-${bits}-cbc`];
  CIPHERS[`id-aes${bits}-gcm`] = CIPHERS[`aes-${bits}-gcm`];
  CIPHERS[`aes${bits}-wrap`] = { __proto__: null, name: `id-aes${bits}-wrap`, mode: "wrap", keyLength: bits / 8 };
  CIPHERS[`id-aes${bits}-wrap`] = CIPHERS[`aes${bits}-wrap`];
}

const names = Object.keys(CIPHERS).sort();
export const getCiphers = () => ArrayPrototypeSlice(names);

export function getCipherInfo(name) {
  const found = typeof name === "string" ? CIPHERS[StringPrototypeToLowerCase(name)] : undefined;
  if (found === undefined) return undefined;
  const { mode, keyLength } = found;
  const info = { mode, name: found.name, keyLength };
  if (mode === "cbc" || mode === "ecb") info.blockSize = BLOCK;
  if (mode !== "ecb") info.ivLength = mode === "gcm" ? 12 : mode === "wrap" ? 8 : BLOCK;
  return info;
}

function joined(parts) {
  if (parts.length === 1) return parts[0];
  let size = 0;
  for (let i = 0; i < parts.length; i++) size += sizeOf(parts[i]);
  const all = new Uint8Array(size);
  let at = 0;
  for (let i = 0; i < parts.length; i++) {
    TypedArrayPrototypeSet(all, parts[i], at);
    at += sizeOf(parts[i]);
  }
  return all;
}

// shifted puts n zero bytes before data: a key stream begins inside of a block.
function shifted(n, data) {
  if (n === 0) return data;
  const all = new Uint8Array(n + sizeOf(data));
  TypedArrayPrototypeSet(all, data, n);
  return all;
}

// counterAt is the counter that many blocks later.
function counterAt(iv, blocks) {
  const counter = bytesCopy(iv);
  for (let i = BLOCK - 1; i >= 0 && blocks > 0; i--) {
    const sum = counter[i] + blocks % 256;
    counter[i] = sum;
    blocks = (blocks - blocks % 256) / 256 + (sum > 255 ? 1 : 0);
  }
  return counter;
}

// CTR and GCM: as many bytes come out as go in.
class Stream {
  #key;
  #iv;
  #gcm;
  #position = 0;

  constructor(key, iv, gcm) {
    this.#key = key;
    this.#iv = iv;
    this.#gcm = gcm;
  }

  update(data) {
    if (sizeOf(data) === 0) return none;
    const inside = this.#position % BLOCK;
    const block = (this.#position - inside) / BLOCK;
    this.#position += sizeOf(data);
    const input = shifted(inside, data);
    const out = this.#gcm
      ? cipher(GCM_STREAM, false, this.#key, this.#iv, block, none, input)
      : cipher(CTR, false, this.#key, counterAt(this.#iv, block), 128, none, input);
    return inside === 0 ? out : bytesSubarray(out, inside, sizeOf(out));
  }

  final() { return none; }
}

const badDecrypt = () => openssl("ERR_OSSL_BAD_DECRYPT", "Provider routines", "bad decrypt", "error:1C800064:Provider routines::bad decrypt");
const wrongLength = () =>
  openssl("ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH", "Provider routines", "wrong final block length", "error:1C80006B:Provider routines::wrong final block length");

// CBC and ECB: whole blocks come out, the last one when all is done.
class Blocks {
  #algorithm;
  #decrypts;
  #key;
  #iv;
  #rest = none;
  padding = true;

  constructor(algorithm, decrypts, key, iv) {
    this.#algorithm = algorithm;
    this.#decrypts = decrypts;
    this.#key = key;
    this.#iv = iv;
  }

  #crypt(data) {
    if (sizeOf(data) === 0) return none;
    const out = cipher(this.#algorithm, this.#decrypts, this.#key, this.#iv, 0, none, data);
    const chained = this.#decrypts ? data : out;
    if (this.#algorithm === CBC_UNPADDED) this.#iv = bytesCopy(bytesSubarray(chained, sizeOf(chained) - BLOCK, sizeOf(chained)));
    return out;
  }

  update(data) {
    const all = sizeOf(this.#rest) === 0 ? data : joined([this.#rest, data]);
    let whole = sizeOf(all) - sizeOf(all) % BLOCK;
    if (this.#decrypts && this.padding && whole > 0 && whole === sizeOf(all)) whole -= BLOCK; // may be the last one
    this.#rest = bytesCopy(bytesSubarray(all, whole, sizeOf(all)));
    return this.#crypt(bytesSubarray(all, 0, whole));
  }

  final() {
    const rest = this.#rest;
    const n = sizeOf(rest);
    if (!this.padding) {
      if (n > 0) throw wrongLength();
      return none;
    }
    if (!this.#decrypts) {
      const last = new Uint8Array(BLOCK);
      TypedArrayPrototypeSet(last, rest);
      for (let i = n; i < BLOCK; i++) last[i] = BLOCK - n;
      return this.#crypt(last);
    }
    if (n !== BLOCK) throw wrongLength();
    const last = this.#crypt(rest);
    const pad = last[BLOCK - 1];
    if (pad === 0 || pad > BLOCK) throw badDecrypt();
    for (let i = BLOCK - pad; i < BLOCK; i++) if (last[i] !== pad) throw badDecrypt();
    return bytesSubarray(last, 0, BLOCK - pad);
  }
}

// Key wrapping takes all at once.
class Wrap {
  #decrypts;
  #key;

  constructor(decrypts, key) {
    this.#decrypts = decrypts;
    this.#key = key;
  }

  update(data) {
    try {
      return cipher(KW, this.#decrypts, this.#key, none, 0, none, data);
    } catch {
      throw badDecrypt();
    }
  }

  final() { return none; }
}

const invalidState = (operation) => coded(new Error(`Invalid state for operation ${operation}`), "ERR_CRYPTO_INVALID_STATE");
const invalidTag = (n) => coded(new TypeError(`Invalid authentication tag length: ${n}`), "ERR_CRYPTO_INVALID_AUTH_TAG");
const isTagLength = (n) => n === 4 || n === 8 || n >= 12 && n <= 16;

function open(name, key, iv, decrypts) {
  if (typeof name !== "string") throw invalidArgType("cipher", "of type string", name);
  const found = CIPHERS[StringPrototypeToLowerCase(name)];
  if (found === undefined) throw coded(new Error("Unknown cipher"), "ERR_CRYPTO_UNKNOWN_CIPHER");
  const bytes = bytesCopy(keyBytes(key));
  const initial = iv === null ? none : bytesCopy(inputBytes(iv, "iv"));
  if (sizeOf(bytes) !== found.keyLength) throw coded(new RangeError("Invalid key length"), "ERR_CRYPTO_INVALID_KEYLEN");
  const n = sizeOf(initial);
  const fits = found.mode === "gcm" ? n > 0 : found.mode === "ecb" ? n === 0 : found.mode === "wrap" ? sameBytes(initial, wrapIV) : n === BLOCK;
  if (!fits) throw coded(new TypeError("Invalid initialization vector"), "ERR_CRYPTO_INVALID_IV");
  switch (found.mode) {
    case "ctr": case "gcm": return { mode: found.mode, key: bytes, iv: initial, work: new Stream(bytes, initial, found.mode === "gcm") };
    case "wrap": return { mode: found.mode, key: bytes, iv: initial, work: new Wrap(decrypts, bytes) };
    default: return { mode: found.mode, key: bytes, iv: initial, work: new Blocks(found.mode === "cbc" ? CBC_UNPADDED : ECB_UNPADDED, decrypts, bytes, initial) };
  }
}

class Base extends LazyTransform {
  #decrypts;
  #opened;
  #plain = []; // of GCM, for its tag
  #additional = none;
  #tag;
  #tagLength;
  #done = false;
  #begun = false;

  constructor(decrypts, name, key, iv, options) {
    super(options);
    this.#decrypts = decrypts;
    this.#opened = open(name, key, iv, decrypts);
    const wanted = options?.authTagLength;
    if (wanted !== undefined && this.#opened.mode === "gcm") {
      if (!isTagLength(wanted)) throw invalidTag(wanted);
      this.#tagLength = wanted;
    }
  }

  update(data, inputEncoding = undefined, outputEncoding = undefined) {
    if (this.#done) throw invalidState("update");
    const bytes = inputBytes(data, "data", inputEncoding);
    this.#begun = true;
    const out = this.#opened.work.update(bytes);
    if (this.#opened.mode === "gcm") this.#plain[this.#plain.length] = bytesCopy(this.#decrypts ? out : bytes);
    return output(out, outputEncoding);
  }

  final(outputEncoding = undefined) {
    if (this.#done) throw coded(new Error("Unsupported state"), "ERR_CRYPTO_INVALID_STATE");
    this.#done = true;
    const { mode, key, iv, work } = this.#opened;
    const out = work.final();
    if (mode === "gcm") {
      const plain = this.#plain.length === 0 ? none : joined(this.#plain);
      const sealed = cipher(GCM, false, key, iv, BLOCK, this.#additional, plain);
      const tag = bytesCopy(bytesSubarray(sealed, sizeOf(plain), sizeOf(sealed)));
      this.#plain = [];
      if (!this.#decrypts) this.#tag = bytesSubarray(tag, 0, this.#tagLength ?? BLOCK);
      else if (this.#tag === undefined || !sameBytes(this.#tag, bytesSubarray(tag, 0, sizeOf(this.#tag)))) {
        throw new Error("Unsupported state or unable to authenticate data");
      }
    }
    return output(out, outputEncoding);
  }

  setAutoPadding(padding = true) {
    if (this.#done) throw invalidState("setAutoPadding");
    this.#opened.work.padding = !!padding;
    return this;
  }

  setAAD(buffer, options = undefined) {
    if (this.#opened.mode !== "gcm" || this.#begun || this.#done) throw invalidState("setAAD");
    this.#additional = joined([this.#additional, bytesCopy(inputBytes(buffer, "aadbuf", options?.encoding))]);
    return this;
  }

  static tagOf(self) {
    if (self.#opened.mode !== "gcm" || !self.#done || self.#decrypts) throw invalidState("getAuthTag");
    return output(bytesCopy(self.#tag));
  }

  static setTag(self, tag, encoding) {
    const bytes = bytesCopy(inputBytes(tag, "buffer", encoding));
    const n = sizeOf(bytes);
    if (!isTagLength(n) || self.#tagLength !== undefined && n !== self.#tagLength) throw invalidTag(n);
    if (self.#opened.mode !== "gcm" || self.#done || self.#tag !== undefined) throw invalidState("setAuthTag");
    self.#tag = bytes;
  }

  _transform(chunk, encoding, callback) {
    try {
      this.push(this.update(chunk, encoding));
    } catch (error) {
      callback(error);
      return;
    }
    callback();
  }

  _flush(callback) {
    try {
      this.push(this.final());
    } catch (error) {
      callback(error);
      return;
    }
    callback();
  }
}
const { tagOf, setTag } = Base;
delete Base.tagOf;
delete Base.setTag;

export class Cipheriv extends Base {
  constructor(name, key, iv, options = undefined) { super(false, name, key, iv, options); }
  getAuthTag() { return tagOf(this); }
}
export class Decipheriv extends Base {
  constructor(name, key, iv, options = undefined) { super(true, name, key, iv, options); }
  setAuthTag(tag, encoding = undefined) {
    setTag(this, tag, encoding);
    return this;
  }
}
