// CompressionStream and DecompressionStream, after the Compression standard.
// Output is made as far as the reader asks for it: a small chunk that would
// decompress to gigabytes waits, half done, for its reader.
import { TypeError, Uint8Array } from "mayfly:intrinsics";
import { BROTLI, DEFLATE, DEFLATE_RAW, FINISH, GZIP, NO_FLUSH, close, open, step } from "mayfly:compression";
import { bytesOf } from "mayfly:crypto";
import { defineInterface, expose, requireArguments } from "mayfly:interface";
import { enqueueTransformed, newTransform, readableOf, transformRoom, writableOf } from "mayfly:streams";
import { isAnyArrayBuffer, isSharedArrayBuffer } from "mayfly:types";
import {
  ArrayBufferIsView, DataViewPrototypeGetBuffer, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetTag, bytesCopy, bytesSubarray,
  promiseThen,
} from "mayfly:primordials";

const formats = { __proto__: null, "deflate-raw": DEFLATE_RAW, deflate: DEFLATE, gzip: GZIP, brotli: BROTLI };
const none = new Uint8Array(0);

function formatOf(value, count, name) {
  requireArguments(count, 1, `${name} constructor`);
  const key = `${value}`;
  const format = formats[key];
  if (format === undefined) throw new TypeError(`${name} constructor: '${key}' is not a compression format`);
  return format;
}

// bytesOfChunk refuses what is no BufferSource; shared memory is none.
export function bytesOfChunk(chunk, name) {
  const shared = ArrayBufferIsView(chunk)
    ? isSharedArrayBuffer(TypedArrayPrototypeGetTag(chunk) === undefined ? DataViewPrototypeGetBuffer(chunk) : TypedArrayPrototypeGetBuffer(chunk))
    : !isAnyArrayBuffer(chunk) || isSharedArrayBuffer(chunk);
  if (shared) throw new TypeError(`${name}: the chunk is not an ArrayBuffer or a view of one`);
  return bytesOf(chunk);
}

// transformer makes the two ends of a host's stream.
function transformer(name, format, decompress) {
  const state = open({ __proto__: null, format, decompress });
  const transform = newTransform({
    __proto__: null,
    transform(chunk, controller) {
      const bytes = bytesOfChunk(chunk, name);
      if (TypedArrayPrototypeGetByteLength(bytes) === 0) return undefined;
      return pump(bytes, NO_FLUSH, controller);
    },
    flush(controller) {
      return state.ended ? undefined : pump(none, FINISH, controller);
    },
    cancel() {
      close(state);
    },
  });
  function pump(bytes, after, controller) {
    let rest = bytes;
    const go = () => {
      for (;;) {
        if (state.ended) throw new TypeError(`${name}: there is data after the end of the compressed stream`);
        const piece = step(state, rest, after);
        if (TypedArrayPrototypeGetByteLength(piece) > 0) enqueueTransformed(controller, bytesCopy(piece));
        if (state.ended) {
          if (state.unread > 0) throw new TypeError(`${name}: there is data after the end of the compressed stream`);
          return undefined;
        }
        rest = bytesSubarray(rest, state.consumed, TypedArrayPrototypeGetByteLength(rest));
        if (!state.more && TypedArrayPrototypeGetByteLength(rest) === 0) return undefined;
        const room = transformRoom(transform);
        if (room !== undefined) return promiseThen(room, go);
      }
    };
    return go();
  }
  return transform;
}

export class CompressionStream {
  #transform;
  constructor(format) {
    this.#transform = transformer("CompressionStream", formatOf(format, arguments.length, "CompressionStream"), false);
  }
  get readable() { return readableOf(this.#transform); }
  get writable() { return writableOf(this.#transform); }
}
defineInterface(CompressionStream);

export class DecompressionStream {
  #transform;
  constructor(format) {
    this.#transform = transformer("DecompressionStream", formatOf(format, arguments.length, "DecompressionStream"), true);
  }
  get readable() { return readableOf(this.#transform); }
  get writable() { return writableOf(this.#transform); }
}
defineInterface(DecompressionStream);

expose({ CompressionStream, DecompressionStream });
