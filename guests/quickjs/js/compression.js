// Compression by the host: pieces go in, and what they give is pulled out. What
// CompressionStream and node:zlib stand on.
//
//   const c = open({ format: GZIP, level: 6 });
//   let out = push(c, bytes);            // Uint8Array; whole of what is ready
//   while (c.more) out = push(c, none);  // one room (64 KiB) at a time
//   out = push(c, last, FINISH); …       // until c.ended
//
// A stream's state is the host's: it ends with the event that opened it, and
// one that goes on in a state that was saved gets an InvalidStateError.
import { RangeError, Uint8Array } from "mayfly:intrinsics";
import { Reader, Writer, call } from "mayfly:host";
import { COMPRESS_CLOSE, COMPRESS_STEP, CRC32 } from "mayfly:op.gen";
import { ArrayPrototypePush, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeSet, bytesSubarray } from "mayfly:primordials";

// Formats.
export const DEFLATE_RAW = 0;
export const DEFLATE = 1;
export const GZIP = 2;
export const BROTLI = 3;

// What comes after the input of a push.
export const NO_FLUSH = 0;
export const SYNC_FLUSH = 1;
export const FINISH = 2;

const ROOM = 65536;
const HEAD = 17;
const none = new Uint8Array(0);
const { FinalizationRegistry } = globalThis;
const register = Function.prototype.call.bind(FinalizationRegistry.prototype.register);
const unregister = Function.prototype.call.bind(FinalizationRegistry.prototype.unregister);

const closeMessage = (handle) => new Writer(8).f64(handle).done();

// Streams that nobody finished are given up when they are collected.
const abandoned = new FinalizationRegistry((box) => {
  if (box.handle !== 0) call(COMPRESS_CLOSE, closeMessage(box.handle));
});

// open describes a stream; the host hears of it with the first push. Options:
// format, decompress (false), level (-1, the default, to 9; -2 Huffman only;
// brotli: 0 to 11), window (brotli: 10 to 24), dictionary (of deflate and
// deflate-raw), members (gzip: others may follow the first).
//
// A stream has: more (there is output to be pulled: push again), ended, and
// then unread, the number of bytes of the input that came after the end.
export function open({ format, decompress = false, level = format === BROTLI ? 5 : -1, window = 22, dictionary = none, members = false }) {
  const stream = {
    __proto__: null, format, decompress, level, window, dictionary, members,
    box: { __proto__: null, handle: 0 }, begun: false, more: false, ended: false, unread: 0, consumed: 0,
  };
  return stream;
}

// step pushes as much of the input as is taken (stream.consumed says how much)
// and answers at most room bytes of output.
export function step(stream, bytes, after = NO_FLUSH, room = ROOM) {
  const { box } = stream;
  const w = new Writer(TypedArrayPrototypeGetByteLength(bytes) + TypedArrayPrototypeGetByteLength(stream.dictionary) + 40);
  // A handle that is lost by an error stays: the next step gets the host's.
  w.f64(stream.begun ? box.handle : 0).u8(after).u32(room);
  if (!stream.begun) {
    w.u8(stream.format).u8(stream.decompress ? 1 : 0).u8(stream.members ? 1 : 0).u8(stream.level).u8(stream.window).bytes(stream.dictionary);
  }
  const answer = call(COMPRESS_STEP, w.bytes(bytes).done());
  const r = new Reader(answer);
  const handle = r.f64();
  if (!stream.begun && handle !== 0) register(abandoned, stream, box, stream);
  stream.begun = true;
  box.handle = handle;
  const state = r.u8();
  stream.consumed = r.u32();
  stream.unread = r.u32();
  stream.more = state === 1;
  stream.ended = state === 2;
  if (stream.ended) unregister(abandoned, stream);
  return bytesSubarray(answer, HEAD, TypedArrayPrototypeGetByteLength(answer));
}

// close gives a stream up.
export function close(stream) {
  const { box } = stream;
  if (box.handle === 0) return;
  unregister(abandoned, stream);
  call(COMPRESS_CLOSE, closeMessage(box.handle));
  box.handle = 0;
  stream.begun = true;
  stream.ended = true;
}

// each pushes all of the input and hands every piece of output to take, which
// may answer false to stop.
export function each(stream, bytes, after, take) {
  let rest = bytes;
  for (;;) {
    const piece = step(stream, rest, after);
    rest = bytesSubarray(rest, stream.consumed, TypedArrayPrototypeGetByteLength(rest));
    if (TypedArrayPrototypeGetByteLength(piece) > 0 && take(piece) === false) return;
    if (stream.ended || (!stream.more && TypedArrayPrototypeGetByteLength(rest) === 0)) return;
  }
}

// transform is the whole of it at once. limit bounds the output in bytes, and
// is a RangeError (ERR_BUFFER_TOO_LARGE). partial answers what there is of data
// that ends too early. stream, if it is given, is one from open().
export function transform(bytes, options, limit = undefined, partial = false, stream = open(options)) {
  const pieces = [];
  let length = 0;
  try {
    each(stream, bytes, partial ? SYNC_FLUSH : FINISH, (piece) => {
      length += TypedArrayPrototypeGetByteLength(piece);
      if (limit !== undefined && length > limit) {
        const error = new RangeError(`Cannot create a Buffer larger than ${limit} bytes`);
        error.code = "ERR_BUFFER_TOO_LARGE";
        throw error;
      }
      ArrayPrototypePush(pieces, piece);
    });
  } finally {
    close(stream);
  }
  if (pieces.length === 1) return pieces[0];
  const all = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < pieces.length; i++) {
    TypedArrayPrototypeSet(all, pieces[i], at);
    at += TypedArrayPrototypeGetByteLength(pieces[i]);
  }
  return all;
}

const sync = (format, decompress) => (bytes, options = undefined, limit = undefined) =>
  transform(bytes, { __proto__: null, ...options, format, decompress }, limit);

export const deflateRawSync = sync(DEFLATE_RAW, false);
export const inflateRawSync = sync(DEFLATE_RAW, true);
export const deflateSync = sync(DEFLATE, false);
export const inflateSync = sync(DEFLATE, true);
export const gzipSync = sync(GZIP, false);
export const gunzipSync = sync(GZIP, true);
export const brotliCompressSync = sync(BROTLI, false);
export const brotliDecompressSync = sync(BROTLI, true);

// crc32 is gzip's checksum, going on from a value.
export const crc32 = (bytes, value = 0) => new Reader(call(CRC32, new Writer(16 + TypedArrayPrototypeGetByteLength(bytes)).u32(value).bytes(bytes).done())).u32();
