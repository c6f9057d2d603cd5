// Crypto (Web Crypto, section 10), and its random numbers.
import { DOMException, TypeError } from "mayfly:intrinsics";
import { bytesOf } from "mayfly:crypto-bytes";
import { random, randomInto } from "mayfly:crypto-host";
import { SubtleCrypto, subtle } from "mayfly:crypto-subtle";
import { defineInterface, expose, requireArguments } from "mayfly:interface";
import { isDataView } from "mayfly:types";
import { TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetTag } from "mayfly:primordials";

const QUOTA = 65536;

let internal = true;

const hex = [];
for (let i = 0; i < 256; i++) hex[i] = (i + 256).toString(16).slice(1);

export class Crypto {
  #subtle = subtle;
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
    if (TypedArrayPrototypeGetByteLength(array) > QUOTA) {
      throw new DOMException(`The requested length exceeds ${QUOTA} bytes`, "QuotaExceededError");
    }
    randomInto(bytesOf(array));
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

expose({ Crypto, crypto });

export { SubtleCrypto, bytesOf };
