// The Streams standard, from the package web-streams-polyfill (MIT, its ES
// module), and what the platform adds to it: sources of bytes, reading to the
// end, transforms.
import { TypeError, Uint8Array } from "mayfly:intrinsics";
import * as library from "mayfly:npm/web-streams-polyfill/dist/ponyfill.mjs";
import { defineInterface, expose } from "mayfly:interface";
import { customInspect } from "mayfly:inspect";
import { ArrayPrototypePush, ObjectDefineProperty, PromiseResolve, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetTag, TypedArrayPrototypeSet, newPromise, promiseThen, uncurryThis } from "mayfly:primordials";

const { ReadableStream, TransformStream } = library;

// The library keeps its state in properties; node shows what is in them by
// other names.
function shown(name, describe) {
  ObjectDefineProperty(library[name].prototype, customInspect, {
    __proto__: null, configurable: true, writable: true, enumerable: false,
    value(depth, options, inspect) {
      if (depth < 0) return `[${name}]`;
      return `${name} ${inspect(describe(this), { ...options, depth: options.depth === null ? null : options.depth - 1 })}`;
    },
  });
}
shown("ReadableStream", (s) => ({ locked: s.locked, state: s._state, supportsBYOB: s._readableStreamController instanceof library.ReadableByteStreamController }));
shown("WritableStream", (s) => ({ locked: s.locked, state: s._state }));
shown("TransformStream", (s) => ({ readable: s.readable, writable: s.writable, backpressure: s._backpressure }));
for (const name of [
  "ReadableStreamDefaultReader", "ReadableStreamBYOBReader", "ReadableStreamDefaultController", "ReadableByteStreamController", "ReadableStreamBYOBRequest",
  "WritableStreamDefaultWriter", "WritableStreamDefaultController", "TransformStreamDefaultController",
]) shown(name, () => ({}));

// The library's asynchronous iterators stand on an object of its own, where the
// language has one.
{
  const AsyncIteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}.prototype));
  Object.setPrototypeOf(Object.getPrototypeOf(new ReadableStream().values()), AsyncIteratorPrototype);
}

// isReadableStream asks for the library's own brand: instanceof can be had by
// setting a prototype.
export function isReadableStream(value) {
  if (typeof value !== "object" || value === null) return false;
  try {
    getLocked(value);
    return true;
  } catch {
    return false;
  }
}

const getReader = uncurryThis(ReadableStream.prototype.getReader);
const readerOf = library.ReadableStreamDefaultReader.prototype;
const read = uncurryThis(readerOf.read);
const cancelReader = uncurryThis(readerOf.cancel);
const getLocked = uncurryThis(Reflect.getOwnPropertyDescriptor(ReadableStream.prototype, "locked").get);
const tee = uncurryThis(ReadableStream.prototype.tee);
const enqueue = uncurryThis(library.ReadableByteStreamController.prototype.enqueue);
const close = uncurryThis(library.ReadableByteStreamController.prototype.close);
const fail = uncurryThis(library.ReadableByteStreamController.prototype.error);
export { getReader, read, cancelReader, getLocked, tee };

// The same of the other kind of streams.
const writableOfLibrary = library.WritableStream.prototype;
const writableLocked = uncurryThis(Reflect.getOwnPropertyDescriptor(writableOfLibrary, "locked").get);
const getWriter = uncurryThis(writableOfLibrary.getWriter);
const writerOfLibrary = library.WritableStreamDefaultWriter.prototype;
const writeTo = uncurryThis(writerOfLibrary.write);
const closeWriter = uncurryThis(writerOfLibrary.close);
const abortWriter = uncurryThis(writerOfLibrary.abort);
export { abortWriter, closeWriter, getWriter, writableLocked, writeTo };

export function isWritableStream(value) {
  if (typeof value !== "object" || value === null || value._writableStreamController === undefined) return false;
  try {
    writableLocked(value);
    return true;
  } catch {
    return false;
  }
}

// isDisturbed: something has been read from the stream, or it was cancelled.
export const isDisturbed = (stream) => stream._disturbed === true;

// proxyStream pipes a stream through, so that the one that it was given is locked.
const pipeThrough = uncurryThis(ReadableStream.prototype.pipeThrough);
export const proxyStream = (stream) => pipeThrough(stream, new TransformStream());

// byteStream makes a stream of bytes. pull() answers a promise of the next
// chunk, or of undefined at the end; cancel(reason) gives the source up.
export function byteStream(pull, cancel = undefined, highWaterMark = 0) {
  return new ReadableStream({
    __proto__: null,
    type: "bytes",
    pull(controller) {
      return promiseThen(pull(), (chunk) => {
        if (chunk !== undefined) {
          enqueue(controller, chunk);
          return;
        }
        close(controller);
        // A reader with its own buffer waits for an answer, at the end too.
        const { byobRequest } = controller;
        if (byobRequest !== null) byobRequest.respond(0);
      });
    },
    cancel,
  }, { __proto__: null, highWaterMark });
}

// streamOf makes a stream of bytes that are known, and that become its own.
export function streamOf(bytes) {
  let left = TypedArrayPrototypeGetByteLength(bytes) > 0;
  return byteStream(() => {
    if (!left) return nothing;
    left = false;
    return PromiseResolve(bytes);
  }, () => { left = false; });
}
const nothing = PromiseResolve(undefined);

// readAll reads a stream of bytes to its end and answers a promise of all of
// them. Chunks that are no Uint8Array fail it, as the Fetch standard says.
export function readAll(stream) {
  const reader = getReader(stream);
  return readToEnd(reader);
}

function readToEnd(reader) {
  return newPromise((resolve, reject) => {
    const chunks = [];
    let length = 0;
    const next = () => {
      promiseThen(read(reader), ({ done, value }) => {
        if (done) {
          if (chunks.length === 1) {
            resolve(chunks[0]);
            return;
          }
          const all = new Uint8Array(length);
          let at = 0;
          for (let i = 0; i < chunks.length; i++) {
            TypedArrayPrototypeSet(all, chunks[i], at);
            at += TypedArrayPrototypeGetByteLength(chunks[i]);
          }
          resolve(all);
          return;
        }
        if (TypedArrayPrototypeGetTag(value) !== "Uint8Array") {
          const error = new TypeError("The body's stream has a chunk that is not a Uint8Array");
          promiseThen(cancelReader(reader, error), undefined, () => {});
          reject(error);
          return;
        }
        ArrayPrototypePush(chunks, value);
        length += TypedArrayPrototypeGetByteLength(value);
        next();
      }, reject);
    };
    next();
  });
}

// ---- transforms of our own

const newReadable = (source, strategy) => new ReadableStream(source, strategy);
const enqueueTransformed = uncurryThis(library.TransformStreamDefaultController.prototype.enqueue);
const readableOf = uncurryThis(Reflect.getOwnPropertyDescriptor(TransformStream.prototype, "readable").get);
const writableOf = uncurryThis(Reflect.getOwnPropertyDescriptor(TransformStream.prototype, "writable").get);
const newWritable = (sink, strategy) => new library.WritableStream(sink, strategy);
export { enqueueTransformed, newReadable, newWritable, readableOf, writableOf };
export { ReadableByteStreamController, ReadableStreamBYOBRequest, TransformStream, WritableStreamDefaultController } from "mayfly:npm/web-streams-polyfill/dist/ponyfill.mjs";

// newTransform makes a TransformStream of a transformer with a null prototype.
export const newTransform = (transformer) => new TransformStream(transformer);

// transformRoom answers a promise of the reader wanting more, or undefined if
// it does already: for transforms whose output may be much more than their input.
export const transformRoom = (transform) => (transform._backpressure ? transform._backpressureChangePromise : undefined);

expose({
  ReadableStream: library.ReadableStream,
  ReadableStreamDefaultReader: library.ReadableStreamDefaultReader,
  ReadableStreamBYOBReader: library.ReadableStreamBYOBReader,
  ReadableStreamDefaultController: library.ReadableStreamDefaultController,
  ReadableByteStreamController: library.ReadableByteStreamController,
  ReadableStreamBYOBRequest: library.ReadableStreamBYOBRequest,
  WritableStream: library.WritableStream,
  WritableStreamDefaultWriter: library.WritableStreamDefaultWriter,
  WritableStreamDefaultController: library.WritableStreamDefaultController,
  TransformStream: library.TransformStream,
  TransformStreamDefaultController: library.TransformStreamDefaultController,
  ByteLengthQueuingStrategy: library.ByteLengthQueuingStrategy,
  CountQueuingStrategy: library.CountQueuingStrategy,
});
