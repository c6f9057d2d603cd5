// node:zlib over the host's compression: functions on whole buffers, and
// Transform streams. The constants are of the package unenv (MIT).
//
// Missing on purpose: zstd, memLevel, strategy and windowBits, which the host
// chooses, and params() of a stream under way.
import { Error, Object, RangeError, TypeError, Uint8Array } from "mayfly:intrinsics";
import { Buffer, asBuffer } from "mayfly:buffer";
import { BROTLI, DEFLATE, DEFLATE_RAW, FINISH, GZIP, NO_FLUSH, SYNC_FLUSH, close, each, open, transform } from "mayfly:compression";
import { bytesOf } from "mayfly:crypto";
import { Writer, call } from "mayfly:host";
import { CRC32 } from "mayfly:op.gen";
import { coded, invalidArgType } from "mayfly:node-errors";
import { process } from "mayfly:process";
import { stream } from "mayfly:stream";
import * as constants from "mayfly:npm/unenv/dist/runtime/node/internal/zlib/constants.mjs";

const { Z_BUF_ERROR, Z_DATA_ERROR, Z_FINISH, Z_FULL_FLUSH, Z_NEED_DICT, Z_NO_FLUSH, Z_SYNC_FLUSH } = constants;
const { Transform } = stream;
const none = new Uint8Array(0);

function input(value) {
  const bytes = typeof value === "string" ? Buffer.from(value) : bytesOf(value);
  if (bytes === undefined) throw invalidArgType("buffer", "of type string or an instance of Buffer, TypedArray, DataView, or ArrayBuffer", value);
  return bytes;
}

// zlibError says what the host found wrong as zlib does.
function zlibError(error, format) {
  if (error.code === "ERR_BUFFER_TOO_LARGE") return coded(new RangeError(error.message), error.code);
  const text = `${error.message}`;
  let message = text;
  let [code, errno] = ["Z_DATA_ERROR", Z_DATA_ERROR];
  if (/unexpected end|end of file|EOF|too early|truncated|incomplete/i.test(text)) {
    message = "unexpected end of file";
    [code, errno] = ["Z_BUF_ERROR", Z_BUF_ERROR];
  } else if (/dictionary/i.test(text)) {
    message = "Missing dictionary";
    [code, errno] = ["Z_NEED_DICT", Z_NEED_DICT];
  } else if (/header/i.test(text)) {
    message = "incorrect header check";
  } else if (/checksum/i.test(text)) {
    message = "incorrect data check";
  }
  if (format === BROTLI) {
    message = "Decompression failed";
    if (code !== "Z_BUF_ERROR") [code, errno] = ["ERR__ERROR_FORMAT_PADDING_1", -2];
  }
  const made = new Error(message, { cause: error });
  made.errno = errno;
  return coded(made, code);
}

function settings(kind, options) {
  if (options === undefined || options === null) options = {};
  if (typeof options !== "object") throw invalidArgType("options", "of type object", options);
  const brotli = kind.format === BROTLI;
  const level = brotli ? options.params?.[constants.BROTLI_PARAM_QUALITY] : options.level;
  const made = { __proto__: null, format: kind.format, decompress: kind.decompress, members: kind.format === GZIP };
  if (level !== undefined) {
    if (typeof level !== "number") throw invalidArgType("options.level", "of type number", level);
    if (!(level >= (brotli ? 0 : -1) && level <= (brotli ? 11 : 9))) throw coded(new RangeError(`The value of "options.level" is out of range. It must be >= -1 and <= 9. Received ${level}`), "ERR_OUT_OF_RANGE");
    made.level = level;
  }
  if (options.dictionary !== undefined && made.format !== GZIP) made.dictionary = input(options.dictionary);
  return made;
}

// Unzip tells gzip from deflate by its first byte.
const formatOf = (kind, bytes) => (kind.detect ? { ...kind, format: bytes[0] === 0x1f ? GZIP : DEFLATE } : kind);

function whole(kind, value, options) {
  const bytes = input(value);
  kind = formatOf(kind, bytes);
  const made = settings(kind, options);
  const partial = options?.finishFlush !== undefined && options.finishFlush !== Z_FINISH;
  try {
    return asBuffer(transform(bytes, made, options?.maxOutputLength, partial && kind.decompress));
  } catch (error) {
    throw zlibError(error, kind.format);
  }
}

class ZlibBase extends Transform {
  #kind;
  #options;
  #stream;
  #flush = NO_FLUSH;
  constructor(kind, options = undefined) {
    super({ ...options, decodeStrings: true });
    this.#kind = kind;
    this.#options = options;
    if (!kind.detect) this.#stream = open(settings(kind, options));
    this.bytesWritten = 0;
  }
  #push(bytes, after) {
    this.#stream ??= open(settings(formatOf(this.#kind, bytes), this.#options));
    if (this.#stream.ended) return;
    each(this.#stream, bytes, after, (piece) => { this.push(asBuffer(new Uint8Array(piece))); });
  }
  _transform(chunk, encoding, callback) {
    this.bytesWritten += chunk.length;
    try {
      this.#push(chunk, this.#flush);
    } catch (error) {
      callback(zlibError(error, this.#kind.format));
      return;
    }
    callback();
  }
  _flush(callback) {
    try {
      if (this.#stream !== undefined && !this.#stream.ended && (this.bytesWritten > 0 || !this.#kind.decompress)) {
        const finish = this.#options?.finishFlush === Z_SYNC_FLUSH || this.#options?.finishFlush === constants.BROTLI_OPERATION_FLUSH ? SYNC_FLUSH : FINISH;
        this.#push(none, finish);
      }
    } catch (error) {
      callback(zlibError(error, this.#kind.format));
      return;
    }
    callback();
  }
  _destroy(error, callback) {
    if (this.#stream !== undefined) close(this.#stream);
    callback(error);
  }
  flush(kind, callback = undefined) {
    if (typeof kind === "function") [kind, callback] = [Z_FULL_FLUSH, kind];
    try {
      if (kind !== Z_NO_FLUSH && !this.#kind.decompress) this.#push(none, SYNC_FLUSH);
    } catch (error) {
      this.destroy(zlibError(error, this.#kind.format));
      return;
    }
    if (callback) process.nextTick(callback);
  }
  close(callback = undefined) {
    if (callback) this.once("close", callback);
    this.destroy();
  }
  params() { throw coded(new Error("A stream's level can't be changed under way"), "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM"); }
}

const kinds = {
  __proto__: null,
  Deflate: { format: DEFLATE, decompress: false }, Inflate: { format: DEFLATE, decompress: true },
  DeflateRaw: { format: DEFLATE_RAW, decompress: false }, InflateRaw: { format: DEFLATE_RAW, decompress: true },
  Gzip: { format: GZIP, decompress: false }, Gunzip: { format: GZIP, decompress: true },
  Unzip: { format: GZIP, decompress: true, detect: true },
  BrotliCompress: { format: BROTLI, decompress: false }, BrotliDecompress: { format: BROTLI, decompress: true },
};

export const zlib = { constants: Object.freeze({ __proto__: null, ...constants }), codes: {} };
for (const name of Object.keys(constants)) if (name.startsWith("Z_") && Math.abs(constants[name]) <= 6 && /OK|END|DICT|ERR/.test(name)) zlib.codes[name] = constants[name];

const operations = { Deflate: "deflate", Inflate: "inflate", DeflateRaw: "deflateRaw", InflateRaw: "inflateRaw", Gzip: "gzip", Gunzip: "gunzip", Unzip: "unzip", BrotliCompress: "brotliCompress", BrotliDecompress: "brotliDecompress" };
for (const name of Object.keys(kinds)) {
  const kind = kinds[name];
  const operation = operations[name];
  class Zlib extends ZlibBase {
    constructor(options = undefined) { super(kind, options); }
  }
  Object.defineProperty(Zlib, "name", { value: name });
  // As in node, new may be left out.
  zlib[name] = new Proxy(Zlib, { apply: (target, self, args) => new Zlib(...args) });
  zlib[`create${name}`] = (options = undefined) => new Zlib(options);
  zlib[`${operation}Sync`] = (value, options = undefined) => whole(kind, value, options);
  zlib[operation] = (value, options, callback = undefined) => {
    if (typeof options === "function") [options, callback] = [undefined, options];
    if (typeof callback !== "function") throw invalidArgType("callback", "of type function", callback);
    const bytes = input(value);
    process.nextTick(() => {
      let result;
      try {
        result = whole(kind, bytes, options);
      } catch (error) {
        callback(error);
        return;
      }
      callback(null, result);
    });
  };
}

zlib.crc32 = (data, value = 0) => {
  if (typeof value !== "number") throw new TypeError("The value must be a number");
  const answer = call(CRC32, new Writer(16).u32(value >>> 0).bytes(input(data)).done());
  return new DataView(answer.buffer, answer.byteOffset).getUint32(0, true);
};
for (const name of Object.keys(constants)) if (name.startsWith("Z_") && !(name in zlib)) Object.defineProperty(zlib, name, { value: constants[name], enumerable: false });
