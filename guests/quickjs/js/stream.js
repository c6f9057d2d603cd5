// node:stream, from the package readable-stream (MIT: node's own streams), and
// what that lacks: conversions from and to the web's streams.
import { Error, Promise, TypeError, Uint8Array } from "mayfly:intrinsics";
import * as buffer from "mayfly:buffer";
import { EventEmitter } from "mayfly:emitter";
import { evaluatePackage } from "mayfly:commonjs";
import { process } from "mayfly:process";
import { coded, invalidArgType } from "mayfly:node-errors";
import { isReadableStream } from "mayfly:streams";
import source from "mayfly:npm/string_decoder/lib/string_decoder.js" with { type: "text" };
import { evaluateCommonJS } from "mayfly:commonjs";

const { AbortController, AbortSignal, Blob, ReadableStream, WritableStream } = globalThis;

export const { StringDecoder } = evaluateCommonJS("string_decoder", source, { "safe-buffer": buffer });

export const stream = evaluatePackage("mayfly:npm/readable-stream/lib/stream.js", {
  buffer: { ...buffer, Blob }, events: EventEmitter, "string_decoder/": { StringDecoder }, "process/": process, "abort-controller": { AbortController, AbortSignal },
});

const { Duplex, Readable, Writable, finished } = stream;

// ---- conversions

const aborted = () => {
  const error = coded(new Error("The operation was aborted"), "ABORT_ERR");
  error.name = "AbortError";
  return error;
};

Readable.fromWeb = function fromWeb(readable, options = {}) {
  if (!isReadableStream(readable)) throw invalidArgType("readableStream", "an instance of ReadableStream", readable);
  const { highWaterMark, encoding, objectMode = false, signal } = options;
  const reader = readable.getReader();
  let closed = false;
  const result = new Readable({
    objectMode, highWaterMark, encoding, signal,
    read() {
      reader.read().then(({ done, value }) => {
        if (done) result.push(null);
        else result.push(objectMode || typeof value === "string" ? value : buffer.asBuffer(value));
      }, (error) => result.destroy(error));
    },
    destroy(error, callback) {
      if (closed) callback(error);
      else reader.cancel(error).then(() => callback(error), () => callback(error));
    },
  });
  reader.closed.then(() => { closed = true; }, (error) => { closed = true; result.destroy(error); });
  return result;
};

Readable.toWeb = function toWeb(readable, options = {}) {
  if (typeof readable?._readableState !== "object") throw invalidArgType("streamReadable", "an instance of stream.Readable", readable);
  const { objectMode } = readable._readableState;
  const strategy = options.strategy ?? (objectMode ? { highWaterMark: readable.readableHighWaterMark } : { highWaterMark: readable.readableHighWaterMark, size: (chunk) => chunk.byteLength ?? chunk.length ?? 1 });
  let controller;
  let ended = false;
  const result = new ReadableStream({
    start(c) {
      controller = c;
      readable.pause();
      finished(readable, { writable: false }, (error) => {
        if (ended) return;
        ended = true;
        if (error) controller.error(error.code === "ERR_STREAM_PREMATURE_CLOSE" ? aborted() : error);
        else controller.close();
      });
      readable.on("data", (chunk) => {
        if (ended) return;
        controller.enqueue(!objectMode && typeof chunk === "object" ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength) : chunk);
        if (controller.desiredSize <= 0) readable.pause();
      });
      readable.pause();
    },
    pull() { readable.resume(); },
    cancel(reason) {
      ended = true;
      readable.destroy(reason);
    },
  }, strategy);
  return result;
};

Writable.fromWeb = function fromWeb(writable, options = {}) {
  const { highWaterMark, decodeStrings = true, objectMode = false, signal } = options;
  const writer = writable.getWriter();
  let closed = false;
  const result = new Writable({
    highWaterMark, objectMode, decodeStrings, signal,
    write(chunk, encoding, callback) { writer.ready.then(() => writer.write(chunk)).then(() => callback(), callback); },
    final(callback) { writer.close().then(() => callback(), callback); },
    destroy(error, callback) {
      if (closed) callback(error);
      else (error ? writer.abort(error) : writer.close()).then(() => callback(error), () => callback(error));
    },
  });
  writer.closed.then(() => { closed = true; }, (error) => { closed = true; result.destroy(error); });
  return result;
};

Writable.toWeb = function toWeb(writable) {
  if (typeof writable?._writableState !== "object") throw invalidArgType("streamWritable", "an instance of stream.Writable", writable);
  let drained;
  let controller;
  let ended = false;
  finished(writable, { readable: false }, (error) => {
    if (error && !ended) controller.error(error);
    drained?.reject(error ?? new Error("The stream was closed"));
    drained = undefined;
  });
  writable.on("drain", () => {
    drained?.resolve();
    drained = undefined;
  });
  return new WritableStream({
    start(c) { controller = c; },
    write(chunk) {
      if (writable.write(chunk)) return undefined;
      return new Promise((resolve, reject) => { drained = { resolve, reject }; });
    },
    close() {
      ended = true;
      return new Promise((resolve, reject) => {
        finished(writable, { readable: false }, (error) => (error ? reject(error) : resolve()));
        writable.end();
      });
    },
    abort(reason) {
      ended = true;
      writable.destroy(reason);
    },
  }, { highWaterMark: writable.writableObjectMode ? writable.writableHighWaterMark : 1 });
};

Duplex.fromWeb = function fromWeb(pair, options = {}) {
  return Duplex.from({ readable: Readable.fromWeb(pair.readable, options), writable: Writable.fromWeb(pair.writable, options) });
};
Duplex.toWeb = (duplex) => ({ readable: Readable.toWeb(duplex), writable: Writable.toWeb(duplex) });

stream.isWritable ??= (s) => Boolean(s?.writable);
if (typeof stream.Readable.from !== "function") throw new TypeError("readable-stream has no Readable.from");
