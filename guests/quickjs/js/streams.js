// The Streams standard, from the package web-streams-polyfill (MIT, its ES
// module), and what the platform adds to it: text encoding as streams, sources
// of bytes, reading to the end.
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
const releaseLock = uncurryThis(readerOf.releaseLock);
const cancelReader = uncurryThis(readerOf.cancel);
const getLocked = uncurryThis(Reflect.getOwnPropertyDescriptor(ReadableStream.prototype, "locked").get);
const cancelStream = uncurryThis(ReadableStream.prototype.cancel);
const tee = uncurryThis(ReadableStream.prototype.tee);
const enqueue = uncurryThis(library.ReadableByteStreamController.prototype.enqueue);
const close = uncurryThis(library.ReadableByteStreamController.prototype.close);
const fail = uncurryThis(library.ReadableByteStreamController.prototype.error);
export { getReader, read, releaseLock, cancelReader, getLocked, cancelStream, tee };

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

export function readToEnd(reader) {
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

// ---- text

const { TextEncoder, TextDecoder } = globalThis;

export class TextEncoderStream {
  #transform;
  constructor() {
    const encoder = new TextEncoder();
    let high = "";
    this.#transform = new TransformStream({
      transform(chunk, controller) {
        // A pair of surrogates may be split over two chunks.
        let text = high + `${chunk}`;
        high = "";
        const last = text.length > 0 ? text.charCodeAt(text.length - 1) : 0;
        if (last >= 0xd800 && last < 0xdc00) {
          high = text[text.length - 1];
          text = text.slice(0, -1);
        }
        if (text !== "") controller.enqueue(encoder.encode(text));
      },
      flush(controller) {
        if (high !== "") controller.enqueue(encoder.encode(high));
      },
    });
  }
  get encoding() { this.#transform; return "utf-8"; }
  get readable() { return this.#transform.readable; }
  get writable() { return this.#transform.writable; }
}
defineInterface(TextEncoderStream);

export class TextDecoderStream {
  #transform;
  #decoder;
  constructor(label = "utf-8", options = undefined) {
    const decoder = new TextDecoder(label, options);
    this.#decoder = decoder;
    this.#transform = new TransformStream({
      transform(chunk, controller) {
        const text = decoder.decode(chunk, { stream: true });
        if (text !== "") controller.enqueue(text);
      },
      flush(controller) {
        const text = decoder.decode();
        if (text !== "") controller.enqueue(text);
      },
    });
  }
  get encoding() { return this.#decoder.encoding; }
  get fatal() { return this.#decoder.fatal; }
  get ignoreBOM() { return this.#decoder.ignoreBOM; }
  get readable() { return this.#transform.readable; }
  get writable() { return this.#transform.writable; }
}
defineInterface(TextDecoderStream);

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
  TextEncoderStream, TextDecoderStream,
});
