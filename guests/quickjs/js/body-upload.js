// Streams as the bodies of operations that are under way.
import { TypeError, Uint8Array } from "mayfly:intrinsics";
import { Writer, start } from "mayfly:host";
import { BODY_WRITE } from "mayfly:op.gen";
import { cancelReader, getReader, read } from "mayfly:streams";
import { TypedArrayPrototypeGetByteLength, bytesSubarray, promiseThen } from "mayfly:primordials";

export const END = 1;
const ABORT = 2;
const none = new Uint8Array(0);
const ignore = () => {};

// bodyMessage is a write to the body of operation id.
export const bodyMessage = (id, end, bytes) => new Writer(TypedArrayPrototypeGetByteLength(bytes) + 16).u32(id).u8(end).bytes(bytes).done();

// sendBody writes a stream as the body of operation id, at most so many bytes at
// a time: its next chunk is read when the host has room for it. bytesIn answers
// a chunk's bytes, or undefined, which is the TypeError wrong; fail is called
// with what breaks the stream. It answers a function that gives up.
export function sendBody(id, stream, bytesIn, wrong, most, fail) {
  const reader = getReader(stream);
  let over = false;
  const stop = (reason) => {
    if (over) return;
    over = true;
    promiseThen(cancelReader(reader, reason), ignore, ignore);
  };
  const broken = (error) => {
    if (over) return;
    over = true;
    start(BODY_WRITE, bodyMessage(id, ABORT, none), ignore, ignore);
    fail(error);
  };
  const next = () => {
    if (over) return;
    promiseThen(read(reader), (result) => {
      if (over) return;
      if (result.done) {
        over = true;
        start(BODY_WRITE, bodyMessage(id, END, none), ignore, ignore);
        return;
      }
      const chunk = bytesIn(result.value);
      if (chunk === undefined) {
        const error = new TypeError(wrong);
        promiseThen(cancelReader(reader, error), ignore, ignore);
        broken(error);
        return;
      }
      piece(chunk, 0);
    }, broken);
  };
  const piece = (chunk, from) => {
    const length = TypedArrayPrototypeGetByteLength(chunk);
    const to = from + most < length ? from + most : length;
    // A write that fails is the operation's failure, which says so itself.
    start(BODY_WRITE, bodyMessage(id, 0, to - from === length ? chunk : bytesSubarray(chunk, from, to)), () => {
      if (over) return;
      if (to < length) piece(chunk, to);
      else next();
    }, stop);
  };
  next();
  return stop;
}
