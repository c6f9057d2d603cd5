// Hash and Hmac of node:crypto. Small parts are gathered, so that one operation
// on the host is enough for them.
import { Error, Uint8Array } from "mayfly:intrinsics";
import { bytesOf, sizeOf } from "mayfly:crypto-bytes";
import { digest, hashPart, none } from "mayfly:crypto-host";
import { HASH_BYTES, hashName, inputBytes, output, requireHash } from "mayfly:node-crypto-input";
import { keyBytes } from "mayfly:node-crypto-key";
import { LazyTransform } from "mayfly:node-crypto-stream";
import { coded, invalidArgType } from "mayfly:node-errors";
import { NumberIsInteger, TypedArrayPrototypeSet, bytesCopy } from "mayfly:primordials";

const GATHERED = 64 << 10;

const finalized = () => coded(new Error("Digest already called"), "ERR_CRYPTO_HASH_FINALIZED");

class Digest {
  #hash;
  #key; // of HMAC
  #state;
  #parts = [];
  #size = 0;
  #done = false;

  constructor(hash, key) {
    this.#hash = hash;
    this.#key = key;
  }

  #gathered() {
    if (this.#parts.length === 1) return this.#parts[0];
    const all = new Uint8Array(this.#size);
    let at = 0;
    for (let i = 0; i < this.#parts.length; i++) {
      TypedArrayPrototypeSet(all, this.#parts[i], at);
      at += sizeOf(this.#parts[i]);
    }
    return all;
  }

  get done() { return this.#done; }

  add(bytes) {
    this.#parts[this.#parts.length] = bytesCopy(bytes);
    this.#size += sizeOf(bytes);
    if (this.#size < GATHERED) return;
    this.#state = hashPart(this.#hash, this.#key, this.#state, this.#gathered(), false);
    this.#parts = [];
    this.#size = 0;
  }

  finish() {
    this.#done = true;
    return hashPart(this.#hash, this.#key, this.#state, this.#parts.length === 0 ? none : this.#gathered(), true);
  }

  copy() {
    const copy = new Digest(this.#hash, this.#key);
    copy.#state = this.#state;
    for (let i = 0; i < this.#parts.length; i++) copy.#parts[i] = this.#parts[i];
    copy.#size = this.#size;
    return copy;
  }
}

export class Hash extends LazyTransform {
  #digest;

  constructor(algorithm, options = undefined) {
    super(options);
    if (algorithm instanceof Hash) {
      this.#digest = algorithm.#digest.copy();
      return;
    }
    if (typeof algorithm !== "string") throw invalidArgType("algorithm", "of type string", algorithm);
    const hash = hashName(algorithm);
    if (hash === undefined) throw new Error("Digest method not supported");
    const wanted = options?.outputLength;
    if (wanted !== undefined && wanted !== HASH_BYTES[hash]) {
      if (!NumberIsInteger(wanted)) throw invalidArgType("options.outputLength", "an integer", wanted);
      throw coded(new Error("Unsupported state or unable to set the digest's length"), "ERR_OSSL_EVP_NOT_XOF_OR_INVALID_LENGTH");
    }
    this.#digest = new Digest(hash, undefined);
  }

  update(data, inputEncoding = undefined) {
    if (this.#digest.done) throw finalized();
    this.#digest.add(inputBytes(data, "data", inputEncoding));
    return this;
  }

  digest(outputEncoding = undefined) {
    if (this.#digest.done) throw finalized();
    return output(this.#digest.finish(), outputEncoding);
  }

  copy() {
    if (this.#digest.done) throw finalized();
    return new Hash(this);
  }

  _transform(chunk, encoding, callback) {
    this.update(chunk, encoding);
    callback();
  }

  _flush(callback) {
    this.push(this.digest());
    callback();
  }
}

export class Hmac extends LazyTransform {
  #digest;

  constructor(algorithm, key, options = undefined) {
    super(options);
    if (typeof algorithm !== "string") throw invalidArgType("hmac", "of type string", algorithm);
    const bytes = keyBytes(key, options?.encoding);
    this.#digest = new Digest(requireHash(algorithm), bytesCopy(bytes));
  }

  update(data, inputEncoding = undefined) {
    if (this.#digest.done) throw finalized();
    this.#digest.add(inputBytes(data, "data", inputEncoding));
    return this;
  }

  digest(outputEncoding = undefined) {
    return output(this.#digest.done ? none : this.#digest.finish(), outputEncoding);
  }

  _transform(chunk, encoding, callback) {
    this.update(chunk, encoding);
    callback();
  }

  _flush(callback) {
    this.push(this.digest());
    callback();
  }
}

// hash is the one-shot form.
export function hash(algorithm, data, outputEncoding = "hex") {
  if (typeof algorithm !== "string") throw invalidArgType("algorithm", "of type string", algorithm);
  const bytes = typeof data === "string" ? inputBytes(data, "input") : bytesOf(data);
  if (bytes === undefined) throw invalidArgType("input", "of type string or an instance of Buffer, TypedArray, or DataView", data);
  return output(digest(requireHash(algorithm), bytes), outputEncoding);
}
