// Buffer, from the package buffer (MIT, node's API over Uint8Array), with text
// made by the engine instead of in JavaScript, and the encoding base64url,
// which the package doesn't know.
//
// Missing on purpose: transcode, and blobs' URLs.
import { Object, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { utf8Decode, utf8Encode } from "mayfly:host";
import { customInspect, inspect } from "mayfly:inspect";
import { evaluateCommonJS } from "mayfly:commonjs";
import { unknownEncoding } from "mayfly:node-errors";
import { expose } from "mayfly:interface";
import {
  NumberPrototypeToString, ObjectDefineProperty, ObjectSetPrototypeOf, StringPrototypeToLowerCase, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
} from "mayfly:primordials";
import base64Source from "mayfly:npm/base64-js/index.js" with { type: "text" };
import ieee754Source from "mayfly:npm/ieee754/index.js" with { type: "text" };
import source from "mayfly:npm/buffer/index.js" with { type: "text" };

const library = evaluateCommonJS("buffer", source, {
  "base64-js": evaluateCommonJS("base64-js", base64Source),
  ieee754: evaluateCommonJS("ieee754", ieee754Source),
});

export const { Buffer, SlowBuffer, kMaxLength } = library;
export const INSPECT_MAX_BYTES = 50;
export const constants = { MAX_LENGTH: kMaxLength, MAX_STRING_LENGTH: 2 ** 30 - 25 };

const { prototype } = Buffer;

// normalEncoding answers an encoding's own name, undefined if there is none.
export function normalEncoding(encoding) {
  if (encoding === undefined || encoding === null || encoding === "utf8" || encoding === "utf-8") return "utf8";
  switch (StringPrototypeToLowerCase(`${encoding}`)) {
    case "utf8": case "utf-8": return "utf8";
    case "hex": return "hex";
    case "base64": return "base64";
    case "base64url": return "base64url";
    case "latin1": case "binary": return "latin1";
    case "ascii": return "ascii";
    case "ucs2": case "ucs-2": case "utf16le": case "utf-16le": return "utf16le";
  }
  return undefined;
}

// asBuffer makes a Buffer of bytes, without a copy.
export function asBuffer(bytes) {
  return ObjectSetPrototypeOf(
    new Uint8Array(TypedArrayPrototypeGetBuffer(bytes), TypedArrayPrototypeGetByteOffset(bytes), TypedArrayPrototypeGetByteLength(bytes)), prototype);
}

const libraryFrom = Buffer.from;
const libraryToString = prototype.toString;
const libraryWrite = prototype.write;

// encodeText answers the bytes of a string.
export function encodeText(text, encoding) {
  switch (normalEncoding(encoding)) {
    case "utf8": return utf8Encode(text);
    case "latin1": case "ascii": return native.latin1Encode(text);
    // The package's decoder of base64 takes both alphabets.
    case "base64": case "base64url": return libraryFrom(text, "base64");
    case "hex": return libraryFrom(text, "hex");
    case "utf16le": return libraryFrom(text, "utf16le");
  }
  throw unknownEncoding(encoding);
}

// decodeText answers the string of bytes.
export function decodeText(bytes, encoding) {
  switch (normalEncoding(encoding)) {
    case "utf8": return utf8Decode(bytes);
    case "latin1": return native.latin1Decode(bytes);
    case "base64url": return libraryToString.call(asBuffer(bytes), "base64").replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
    case "base64": case "hex": case "ascii": case "utf16le": return libraryToString.call(asBuffer(bytes), encoding);
  }
  throw unknownEncoding(encoding);
}

Buffer.from = function from(value, encodingOrOffset, length) {
  if (typeof value === "string") return asBuffer(encodeText(value, encodingOrOffset));
  return libraryFrom(value, encodingOrOffset, length);
};
Buffer.isEncoding = (encoding) => typeof encoding === "string" && encoding !== "" && normalEncoding(encoding) !== undefined;
const libraryByteLength = Buffer.byteLength;
Buffer.byteLength = function byteLength(value, encoding) {
  if (typeof value !== "string") return libraryByteLength(value, encoding);
  switch (normalEncoding(encoding)) {
    case "latin1": case "ascii": return value.length;
    case "utf16le": return value.length * 2;
    case "hex": return value.length >>> 1;
    case "base64": case "base64url": return libraryByteLength(value.replace(/=+$/, ""), "base64");
    default: return TypedArrayPrototypeGetByteLength(utf8Encode(value));
  }
};
Object.defineProperty(Buffer, "poolSize", { value: 8192, writable: true, enumerable: true, configurable: true });

prototype.toString = function toString(encoding, start = 0, end = this.length) {
  if (start < 0 || start !== start) start = 0;
  if (end > this.length) end = this.length;
  start |= 0;
  end |= 0;
  if (end <= start) {
    if (normalEncoding(encoding) === undefined) throw unknownEncoding(encoding);
    return "";
  }
  return decodeText(start === 0 && end === this.length ? this : this.subarray(start, end), encoding);
};
prototype.toLocaleString = prototype.toString;
prototype.write = function write(string, offset, length, encoding) {
  if (typeof offset === "string") return this.write(string, 0, this.length, offset);
  if (typeof length === "string") return this.write(string, offset, undefined, length);
  if (encoding !== undefined && normalEncoding(encoding) === undefined) throw unknownEncoding(encoding);
  return libraryWrite.call(this, string, offset ?? 0, length ?? this.length - (offset ?? 0), encoding === "base64url" ? "base64" : encoding ?? "utf8");
};
for (const encoding of ["utf8", "latin1", "ascii", "hex", "base64", "base64url", "ucs2"]) {
  prototype[`${encoding}Slice`] = function (start, end) { return this.toString(encoding, start, end); };
  prototype[`${encoding}Write`] = function (string, offset, length) { return this.write(string, offset, length, encoding); };
}
const fill = prototype.fill;
prototype.fill = function (value, offset, end, encoding) {
  if (typeof value === "string" && typeof offset === "string") return fill.call(this, encodeText(value, offset));
  if (typeof value === "string" && normalEncoding(encoding) === "base64url") return fill.call(this, encodeText(value, encoding), offset, end);
  return fill.call(this, value, offset, end, encoding);
};

// As node shows buffers: the first fifty bytes, then own properties.
ObjectDefineProperty(prototype, customInspect, {
  __proto__: null, writable: true, configurable: true, enumerable: false,
  value: function showBuffer(depth, options) {
    const n = this.length < INSPECT_MAX_BYTES ? this.length : INSPECT_MAX_BYTES;
    let text = "";
    for (let i = 0; i < n; i++) text += (this[i] < 16 ? " 0" : " ") + NumberPrototypeToString(this[i], 16);
    if (this.length > n) text += ` ... ${this.length - n} more byte${this.length - n > 1 ? "s" : ""}`;
    const own = Object.keys(this).filter((key) => !/^\d+$/.test(key));
    if (own.length > 0) {
      const shown = Object.create(null);
      for (const key of own) shown[key] = this[key];
      text += `${n > 0 ? "," : ""} ${inspect(shown, { ...options, breakLength: Infinity, compact: true }).slice(27, -2)}`;
    }
    return `<${this.constructor?.name ?? "Buffer"}${text}>`;
  },
});
prototype.inspect = prototype[customInspect];

export const isUtf8 = (input) => {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(input);
    return true;
  } catch {
    return false;
  }
};
export const isAscii = (input) => {
  const bytes = new Uint8Array(input.buffer ?? input, input.byteOffset ?? 0, input.byteLength);
  for (let i = 0; i < bytes.length; i++) if (bytes[i] > 127) return false;
  return true;
};

expose({ Buffer });
