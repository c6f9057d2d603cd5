// Streams and signals from isolate to isolate: pipes of the host.
import { Error, TypeError, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Reader, Writer, call, start } from "mayfly:host";
import { BODY_CANCEL, BODY_READ, BODY_WRITE, PIPE_OPEN } from "mayfly:op.gen";
import { subscribe } from "mayfly:abort";
import { bytesOf } from "mayfly:crypto-bytes";
import { abortWriter, cancelReader, closeWriter, getReader, getWriter, newWritable, read, writeTo } from "mayfly:streams";
import { TypedArrayPrototypeGetByteLength, bytesSubarray, newPromise, promiseThen } from "mayfly:primordials";

const none = new Uint8Array(0);
const ignore = () => {};

// Ends of a body_write.
const LAST = 1;
const BROKEN = 2;

// Bytes that one body_write takes.
const MOST = 1 << 20;

const handleMessage = (handle) => new Writer(4).u32(handle).done();

// openPipe opens a pipe that is to be passed on.
export const openPipe = () => new Reader(call(PIPE_OPEN, none)).u32();
export const cancelPipe = (handle) => { call(BODY_CANCEL, handleMessage(handle)); };

// write gives bytes to a pipe; done is called when there is room for more.
function write(handle, end, bytes, done, failed) {
  const length = TypedArrayPrototypeGetByteLength(bytes);
  const piece = (from) => {
    const last = length - from <= MOST;
    const part = last && from === 0 ? bytes : bytesSubarray(bytes, from, last ? length : from + MOST);
    const message = new Writer(TypedArrayPrototypeGetByteLength(part) + 16).u32(handle).u8(last ? end : 0).bytes(part).done();
    start(BODY_WRITE, message, last ? done : () => piece(from + MOST), failed);
  };
  piece(0);
}

// reasonMessage says why a stream breaks, as an error of the wire.
export function reasonMessage(reason) {
  const isError = typeof reason === "object" && reason !== null;
  let name = "Error";
  let message = "The stream was aborted by its writer.";
  try {
    if (isError) {
      name = `${reason.name}`;
      message = `${reason.message}`;
    } else if (reason !== undefined) {
      message = `${reason}`;
    }
  } catch {
    // A getter that throws says nothing.
  }
  return new Writer(64).str(name).str("").str(message).str("").u8(0).done();
}

const breakPipe = (handle, reason, over) => write(handle, BROKEN, reasonMessage(reason), over, over);

// writeStream writes a stream to a pipe; over is called when that has ended.
export function writeStream(handle, stream, over) {
  const reader = getReader(stream);
  const stop = (error) => promiseThen(cancelReader(reader, error), over, over);
  const next = () => {
    promiseThen(read(reader), (result) => {
      if (result.done) {
        write(handle, LAST, none, over, over);
        return;
      }
      const bytes = bytesOf(result.value);
      if (bytes !== undefined) {
        write(handle, 0, bytes, next, stop);
        return;
      }
      const error = new TypeError("A ReadableStream that is sent over RPC has a chunk that is no ArrayBuffer or view of one");
      promiseThen(cancelReader(reader, error), ignore, ignore);
      breakPipe(handle, error, over);
    }, (error) => breakPipe(handle, error, over));
  };
  next();
}

// take reads a pipe: chunk gets its bytes, and calls what it is given for more.
function take(handle, chunk, end, failed) {
  const next = () => {
    start(BODY_READ, handleMessage(handle), (answer) => {
      const r = new Reader(answer);
      if (r.u8() === 1) end();
      else chunk(r.bytes(), next);
    }, failed);
  };
  next();
}

// readStream writes what comes through a pipe to a stream.
export function readStream(handle, stream, over) {
  const writer = getWriter(stream);
  take(handle, (bytes, next) => {
    promiseThen(writeTo(writer, bytes), next, () => {
      cancelPipe(handle);
      over();
    });
  }, () => promiseThen(closeWriter(writer), over, over), (error) => promiseThen(abortWriter(writer, error), over, over));
}

// writableOf makes a stream whose bytes go through a pipe.
export function writableOf(handle) {
  const send = (end, bytes) => newPromise((resolve, reject) => {
    write(handle, end, bytes, () => resolve(undefined), reject);
  });
  return newWritable({
    __proto__: null,
    write(chunk) {
      const bytes = bytesOf(chunk);
      if (bytes === undefined) throw new TypeError("A WritableStream that was received over RPC takes ArrayBuffers and views of them");
      return send(0, bytes);
    },
    close: () => send(LAST, none),
    abort: (reason) => send(BROKEN, reasonMessage(reason)),
  }, { __proto__: null, highWaterMark: 1 });
}

// writeSignal tells a pipe of an abort. A reason that can't be passed on is told
// as an error of its text.
export function writeSignal(handle, signal) {
  subscribe(signal, (reason) => {
    let message;
    try {
      message = native.encodeValue(reason);
    } catch {
      message = native.encodeValue(new Error("The operation was aborted"));
    }
    write(handle, 0, message, () => write(handle, LAST, none, ignore, ignore), ignore);
  });
}

// readSignal waits for an abort. Where the pipe ends without one, nobody can
// abort any more.
export function readSignal(handle, abort) {
  const all = new Writer(64);
  let some = false;
  take(handle, (bytes, next) => {
    some = true;
    all.raw(bytes);
    next();
  }, () => {
    if (!some) return;
    let reason;
    try {
      reason = native.decodeValue(all.done(), 0);
    } catch {
      // It is an AbortError then.
    }
    abort(reason);
  }, ignore);
}
