// Web Crypto, first part: getRandomValues, randomUUID and subtle.digest. The
// rest of SubtleCrypto comes with keys, in a later milestone; its methods are
// missing, so that feature tests answer truly.
import { DOMException, TypeError } from "mayfly:intrinsics";
import { Writer, call } from "mayfly:host";
import { DIGEST, RANDOM } from "mayfly:op.gen";
import { defineInterface, expose, requireArguments } from "mayfly:interface";
import { isAnyArrayBuffer, isDataView } from "mayfly:types";
import {
  ArrayBufferIsView, DataViewPrototypeGetBuffer, DataViewPrototypeGetByteLength, DataViewPrototypeGetByteOffset, PromiseReject, PromiseResolve,
  StringPrototypeToUpperCase, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetByteOffset, TypedArrayPrototypeGetTag,
  TypedArrayPrototypeSet,
} from "mayfly:primordials";

const QUOTA = 65536;
const IntrinsicUint8Array = Uint8Array;

// bytesOf answers a view of a BufferSource's bytes, undefined for other values.
export function bytesOf(source) {
  if (TypedArrayPrototypeGetTag(source) === "Uint8Array") return source;
  if (ArrayBufferIsView(source)) {
    return isDataView(source)
      ? new IntrinsicUint8Array(DataViewPrototypeGetBuffer(source), DataViewPrototypeGetByteOffset(source), DataViewPrototypeGetByteLength(source))
      : new IntrinsicUint8Array(TypedArrayPrototypeGetBuffer(source), TypedArrayPrototypeGetByteOffset(source), TypedArrayPrototypeGetByteLength(source));
  }
  return isAnyArrayBuffer(source) ? new IntrinsicUint8Array(source) : undefined;
}

const random = (n) => call(RANDOM, new Writer(4).u32(n).done());

// digest is the synchronous form, for node:crypto and the rest.
export const digest = (algorithm, bytes) => call(DIGEST, new Writer(64).str(algorithm).bytes(bytes).done());

let internal = true;

export class SubtleCrypto {
  #brand;
  constructor() {
    if (!internal) throw new TypeError("Illegal constructor");
  }

  // Takes its input when it is called, as the standard asks. Promises are made
  // by hand: an async function would ask Promise.prototype.
  digest(algorithm, data) {
    try {
      this.#brand;
      requireArguments(arguments.length, 2, "SubtleCrypto.digest");
      const name = StringPrototypeToUpperCase(`${algorithm !== null && typeof algorithm === "object" ? algorithm.name : algorithm}`);
      const bytes = bytesOf(data);
      if (bytes === undefined) throw new TypeError("SubtleCrypto.digest: data is not an ArrayBuffer or a view of one");
      switch (name) {
        // MD5 is not in the standard; workers have it.
        case "SHA-1": case "SHA-256": case "SHA-384": case "SHA-512": case "MD5": break;
        default: throw new DOMException("Unrecognized name.", "NotSupportedError");
      }
      const result = digest(name, bytes);
      const copy = new IntrinsicUint8Array(TypedArrayPrototypeGetByteLength(result));
      TypedArrayPrototypeSet(copy, result);
      return PromiseResolve(TypedArrayPrototypeGetBuffer(copy));
    } catch (error) {
      return PromiseReject(error);
    }
  }
}
defineInterface(SubtleCrypto);

const hex = [];
for (let i = 0; i < 256; i++) hex[i] = (i + 256).toString(16).slice(1);

export class Crypto {
  #subtle = new SubtleCrypto();
  constructor() {
    if (!internal) throw new TypeError("Illegal constructor");
  }

  get subtle() { return this.#subtle; }

  getRandomValues(array) {
    this.#subtle;
    requireArguments(arguments.length, 1, "Crypto.getRandomValues");
    switch (TypedArrayPrototypeGetTag(array)) {
      case undefined:
        if (isDataView(array)) throw new DOMException("The data argument must be an integer-type TypedArray", "TypeMismatchError");
        throw new TypeError("Crypto.getRandomValues: the argument is not an ArrayBufferView");
      case "Float16Array": case "Float32Array": case "Float64Array":
        throw new DOMException("The data argument must be an integer-type TypedArray", "TypeMismatchError");
    }
    const n = TypedArrayPrototypeGetByteLength(array);
    if (n > QUOTA) {
      throw new DOMException(`The requested length exceeds ${QUOTA} bytes`, "QuotaExceededError");
    }
    if (n > 0) TypedArrayPrototypeSet(bytesOf(array), random(n));
    return array;
  }

  randomUUID() {
    this.#subtle;
    const b = random(16);
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let uuid = "";
    for (let i = 0; i < 16; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) uuid += "-";
      uuid += hex[b[i]];
    }
    return uuid;
  }
}
defineInterface(Crypto);

export const crypto = new Crypto();
internal = false;

expose({ Crypto, SubtleCrypto, crypto });
