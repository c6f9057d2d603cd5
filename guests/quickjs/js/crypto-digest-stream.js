// crypto.DigestStream, which workers have: a writable stream whose digest is a
// promise.
import { BigInt, TypeError } from "mayfly:intrinsics";
import { normalize } from "mayfly:crypto-algorithm";
import { bufferOf, bytesOf, sizeOf } from "mayfly:crypto-bytes";
import { hashPart, none } from "mayfly:crypto-host";
import { crypto } from "mayfly:crypto";
import { utf8Encode } from "mayfly:host";
import { defineInterface } from "mayfly:interface";
import { ObjectDefineProperty, newPromise, promiseThen } from "mayfly:primordials";

const { WritableStream } = globalThis;

export class DigestStream extends WritableStream {
  #digest;
  #count;

  constructor(algorithm) {
    const hash = normalize("digest", algorithm).name;
    const count = { __proto__: null, bytes: 0 };
    let state, resolve, reject;
    const promise = newPromise((yes, no) => {
      resolve = yes;
      reject = no;
    });
    promiseThen(promise, undefined, () => {}); // who aborts the stream knows
    super({
      __proto__: null,
      write(chunk) {
        const bytes = typeof chunk === "string" ? utf8Encode(chunk) : bytesOf(chunk);
        if (bytes === undefined) {
          const error = new TypeError("DigestStream is a byte stream but received an object of non-ArrayBuffer/ArrayBufferView type on its writable side.");
          reject(error);
          throw error;
        }
        count.bytes += sizeOf(bytes);
        state = hashPart(hash, undefined, state, bytes, false);
      },
      close() { resolve(bufferOf(hashPart(hash, undefined, state, none, true))); },
      abort(reason) { reject(reason); },
    });
    this.#digest = promise;
    this.#count = count;
  }

  get digest() { return this.#digest; }
  get bytesWritten() { return BigInt(this.#count.bytes); }
}
defineInterface(DigestStream);

ObjectDefineProperty(crypto, "DigestStream", { __proto__: null, value: DigestStream, writable: true, enumerable: false, configurable: true });
