// IdentityTransformStream and FixedLengthStream, which workers have: bytes pass
// unchanged and uncopied from a writer to a reader that may bring its own
// buffer. A write is done when it has been read: nothing waits in between.
import { BigInt, Number, TypeError, Uint8Array, WeakMap } from "mayfly:intrinsics";
import { bytesOf } from "mayfly:crypto";
import { defineInterface, expose } from "mayfly:interface";
import {
  TypedArrayPrototypeGetByteLength, TypedArrayPrototypeSet, WeakMapPrototypeGet, WeakMapPrototypeSet, bytesSubarray, newPromise, uncurryThis,
} from "mayfly:primordials";
import { ReadableByteStreamController, ReadableStreamBYOBRequest, TransformStream, WritableStreamDefaultController, newReadable, newWritable } from "mayfly:streams";

const get = (prototype, name) => uncurryThis(Reflect.getOwnPropertyDescriptor(prototype, name).get);
const enqueue = uncurryThis(ReadableByteStreamController.prototype.enqueue);
const close = uncurryThis(ReadableByteStreamController.prototype.close);
const fail = uncurryThis(ReadableByteStreamController.prototype.error);
const requestOf = get(ReadableByteStreamController.prototype, "byobRequest");
const viewOf = get(ReadableStreamBYOBRequest.prototype, "view");
const respond = uncurryThis(ReadableStreamBYOBRequest.prototype.respond);
const failWritable = uncurryThis(WritableStreamDefaultController.prototype.error);

const lengths = new WeakMap();

// lengthOf answers how many bytes a stream will give, if it is the readable side
// of a FixedLengthStream; undefined for others.
export const lengthOf = (stream) => WeakMapPrototypeGet(lengths, stream);

function bytesOfChunk(chunk) {
  const bytes = bytesOf(chunk);
  if (bytes !== undefined) return bytes;
  throw new TypeError("This TransformStream is being used as a byte stream, but received " + (typeof chunk === "string"
    ? "a string on its writable side. If you wish to write a string, you'll probably want to explicitly UTF-8-encode it with TextEncoder."
    : "an object of non-ArrayBuffer/ArrayBufferView type on its writable side."));
}

// pair makes the two sides. left is how many bytes have to come, undefined for
// any number.
function pair(left, writableStrategy) {
  let reading, writing; // controllers
  let chunk, written, broken; // the write that waits to be read, and how it ends
  let wanted; // ends the pull that waits for a write
  let over = false;

  // give hands the reader what it has room for.
  const give = () => {
    if (wanted === undefined || chunk === undefined) return;
    const done = wanted;
    wanted = undefined;
    const size = TypedArrayPrototypeGetByteLength(chunk);
    const request = requestOf(reading);
    let given = size;
    if (request === null) {
      // The reader gets bytes of its own: the writer may use its buffer again.
      const copy = new Uint8Array(size);
      TypedArrayPrototypeSet(copy, chunk);
      enqueue(reading, copy);
    } else {
      const view = bytesOf(viewOf(request));
      const room = TypedArrayPrototypeGetByteLength(view);
      if (given > room) given = room;
      TypedArrayPrototypeSet(view, bytesSubarray(chunk, 0, given));
      respond(request, given);
    }
    if (given < size) {
      chunk = bytesSubarray(chunk, given, size);
    } else {
      chunk = undefined;
      written();
    }
    done();
  };
  const end = (error) => {
    if (over) return;
    over = true;
    fail(reading, error);
    if (wanted !== undefined) wanted();
  };

  const readable = newReadable({
    __proto__: null,
    type: "bytes",
    start(controller) { reading = controller; },
    pull() {
      return newPromise((resolve) => {
        wanted = resolve;
        give();
      });
    },
    cancel(reason) {
      over = true;
      failWritable(writing, reason);
      if (broken !== undefined) broken(reason);
    },
  }, { __proto__: null, highWaterMark: 0 });

  const writable = newWritable({
    __proto__: null,
    start(controller) { writing = controller; },
    write(value) {
      let bytes;
      try {
        bytes = bytesOfChunk(value);
        if (left !== undefined) {
          const size = TypedArrayPrototypeGetByteLength(bytes);
          if (size > left) throw new TypeError("Attempt to write too many bytes through a FixedLengthStream.");
          left -= size;
        }
      } catch (error) {
        end(error);
        throw error;
      }
      if (TypedArrayPrototypeGetByteLength(bytes) === 0) return undefined;
      return newPromise((resolve, reject) => {
        chunk = bytes;
        written = resolve;
        broken = reject;
        give();
      });
    },
    close() {
      if (left !== undefined && left > 0) {
        const error = new TypeError("FixedLengthStream did not see all expected bytes before close().");
        end(error);
        throw error;
      }
      over = true;
      close(reading);
      const request = requestOf(reading);
      if (request !== null) respond(request, 0);
      if (wanted !== undefined) wanted();
    },
    abort(reason) {
      if (broken !== undefined) broken(reason);
      end(reason);
    },
  }, writableStrategy);
  return { __proto__: null, readable, writable };
}

export class IdentityTransformStream extends TransformStream {
  #pair;
  constructor(queuingStrategy = undefined) {
    super();
    this.#pair = pair(next, queuingStrategy);
    next = undefined;
  }
  get readable() { return this.#pair.readable; }
  get writable() { return this.#pair.writable; }
}
defineInterface(IdentityTransformStream);

// The length that a FixedLengthStream, which is one more IdentityTransformStream,
// has for the constructor above.
let next;

const readableOf = get(IdentityTransformStream.prototype, "readable");

export class FixedLengthStream extends IdentityTransformStream {
  constructor(expectedLength, queuingStrategy = undefined) {
    const length = typeof expectedLength === "bigint" ? Number(BigInt.asIntN(64, expectedLength) === expectedLength ? expectedLength : -1n) : +expectedLength;
    if (!(length >= 0 && length <= 9007199254740991 && length % 1 === 0)) {
      throw new TypeError("FixedLengthStream requires a non-negative integer expected length.");
    }
    next = length;
    super(queuingStrategy);
    WeakMapPrototypeSet(lengths, readableOf(this), length);
  }
}
defineInterface(FixedLengthStream);

expose({ IdentityTransformStream, FixedLengthStream });
