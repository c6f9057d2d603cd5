// URLs whose content is not on the network: data: (Fetch 6) and blob: (File API
// 8), with URL.createObjectURL and URL.revokeObjectURL.
import { Map, TypeError, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Writer, utf8Encode } from "mayfly:host";
import { blobBytes, blobType, isBlob } from "mayfly:blob";
import { requireArguments } from "mayfly:interface";
import {
  ArrayPrototypePush, MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet, ObjectDefineProperty, StringPrototypeCharCodeAt,
  StringPrototypeIncludes, StringPrototypeIndexOf, StringPrototypeSlice, StringPrototypeStartsWith, StringPrototypeToLowerCase, TypedArrayPrototypeGetByteLength,
  bytesSubarray,
} from "mayfly:primordials";

const { atob, crypto } = globalThis;
const randomUUID = crypto.randomUUID.bind(crypto);

// answerOf is an answer of the operation fetch, with a body of bytes.
function answerOf(url, type, bytes) {
  const headers = type === "" ? [] : [["content-type", type]];
  return new Writer(TypedArrayPrototypeGetByteLength(bytes) + 128).u32(200).str("OK").str(url).u8(0).pairs(headers).u8(1).bytes(bytes).u32(0).done();
}

// ---- data:

// answerData is the answer for a serialized data: URL; it throws a TypeError
// where that is not valid.
export function answerData(url) {
  const hash = StringPrototypeIndexOf(url, "#");
  if (hash >= 0) url = StringPrototypeSlice(url, 0, hash);
  const comma = StringPrototypeIndexOf(url, ",");
  if (comma < 0) throw new TypeError("fetch failed: a data: URL has no comma");
  let type = trim(StringPrototypeSlice(url, 5, comma));
  let bytes = percentDecode(StringPrototypeSlice(url, comma + 1));
  const semicolon = lastSemicolon(type);
  if (semicolon >= 0 && StringPrototypeToLowerCase(trimLeft(StringPrototypeSlice(type, semicolon + 1))) === "base64") {
    type = StringPrototypeSlice(type, 0, semicolon);
    try {
      bytes = native.latin1Encode(atob(native.latin1Decode(bytes)));
    } catch {
      throw new TypeError("fetch failed: the content of a data: URL is not valid base64");
    }
  }
  if (StringPrototypeStartsWith(type, ";")) type = `text/plain${type}`;
  return answerOf(url, mimeOf(type) ?? "text/plain;charset=US-ASCII", bytes);
}

const isSpace = (c) => c === 0x20 || c === 9 || c === 10 || c === 12 || c === 13;

function trimLeft(text) {
  let from = 0;
  while (from < text.length && isSpace(StringPrototypeCharCodeAt(text, from))) from++;
  return StringPrototypeSlice(text, from);
}

function trim(text) {
  text = trimLeft(text);
  let to = text.length;
  while (to > 0 && isSpace(StringPrototypeCharCodeAt(text, to - 1))) to--;
  return StringPrototypeSlice(text, 0, to);
}

function lastSemicolon(text) {
  for (let i = text.length - 1; i >= 0; i--) if (text[i] === ";") return i;
  return -1;
}

const hexOf = (c) => (c >= 0x30 && c <= 0x39 ? c - 0x30 : (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66) ? (c | 0x20) - 0x57 : -1);

function percentDecode(text) {
  const source = utf8Encode(text);
  if (!StringPrototypeIncludes(text, "%")) return source;
  const length = TypedArrayPrototypeGetByteLength(source);
  const bytes = new Uint8Array(length);
  let to = 0;
  for (let i = 0; i < length; i++) {
    const c = source[i];
    const high = c === 0x25 && i + 2 < length ? hexOf(source[i + 1]) : -1;
    const low = high >= 0 ? hexOf(source[i + 2]) : -1;
    if (low >= 0) {
      bytes[to++] = high * 16 + low;
      i += 2;
    } else {
      bytes[to++] = c;
    }
  }
  return bytesSubarray(bytes, 0, to);
}

// ---- MIME types (MIME Sniffing 4)

function isToken(text) {
  for (let i = 0; i < text.length; i++) {
    const c = StringPrototypeCharCodeAt(text, i);
    if (c < 0x21 || c > 0x7e || StringPrototypeIncludes('()<>@,;:\\"/[]?={}', text[i])) return false;
  }
  return text !== "";
}

// mimeOf parses a MIME type and serializes it; it is undefined where that fails.
function mimeOf(text) {
  text = trim(text);
  const slash = StringPrototypeIndexOf(text, "/");
  if (slash < 0) return undefined;
  let at = StringPrototypeIndexOf(text, ";", slash);
  if (at < 0) at = text.length;
  const type = StringPrototypeToLowerCase(StringPrototypeSlice(text, 0, slash));
  const subtype = StringPrototypeToLowerCase(trim(StringPrototypeSlice(text, slash + 1, at)));
  if (!isToken(type) || !isToken(subtype)) return undefined;
  let result = `${type}/${subtype}`;
  const seen = new Map();
  while (at < text.length) {
    at++;
    while (at < text.length && isSpace(StringPrototypeCharCodeAt(text, at))) at++;
    let from = at;
    while (at < text.length && text[at] !== ";" && text[at] !== "=") at++;
    const name = StringPrototypeToLowerCase(StringPrototypeSlice(text, from, at));
    if (text[at] !== "=") continue;
    at++;
    let value = "";
    if (text[at] === '"') {
      for (at++; at < text.length && text[at] !== '"'; at++) {
        if (text[at] === "\\" && at + 1 < text.length) at++;
        value += text[at];
      }
      while (at < text.length && text[at] !== ";") at++;
    } else {
      from = at;
      while (at < text.length && text[at] !== ";") at++;
      value = trim(StringPrototypeSlice(text, from, at));
      if (value === "") continue;
    }
    if (!isToken(name) || MapPrototypeGet(seen, name) !== undefined || !isValue(value)) continue;
    MapPrototypeSet(seen, name, true);
    result += `;${name}=${isToken(value) ? value : quoted(value)}`;
  }
  return result;
}

function isValue(text) {
  for (let i = 0; i < text.length; i++) {
    const c = StringPrototypeCharCodeAt(text, i);
    if ((c < 0x20 && c !== 9) || c === 0x7f || c > 0xff) return false;
  }
  return true;
}

function quoted(value) {
  let text = '"';
  for (let i = 0; i < value.length; i++) text += value[i] === '"' || value[i] === "\\" ? `\\${value[i]}` : value[i];
  return `${text}"`;
}

// ---- blob:

const objects = new Map(); // URL → Blob

const methods = {
  createObjectURL(object) {
    requireArguments(arguments.length, 1, "URL.createObjectURL");
    if (!isBlob(object)) throw new TypeError("URL.createObjectURL: the argument is not a Blob");
    const url = `blob:null/${randomUUID()}`;
    MapPrototypeSet(objects, url, object);
    return url;
  },
  revokeObjectURL(url) {
    requireArguments(arguments.length, 1, "URL.revokeObjectURL");
    MapPrototypeDelete(objects, `${url}`);
  },
};
for (const name of ["createObjectURL", "revokeObjectURL"]) {
  ObjectDefineProperty(globalThis.URL, name, { __proto__: null, value: methods[name], writable: true, configurable: true, enumerable: true });
}

// answerBlob is the answer for a blob: URL; it throws a TypeError where there is
// none. range is the value of the header field range, or undefined.
export function answerBlob(url, method, range) {
  const hash = StringPrototypeIndexOf(url, "#");
  const blob = MapPrototypeGet(objects, hash < 0 ? url : StringPrototypeSlice(url, 0, hash));
  if (blob === undefined || method !== "GET") throw new TypeError("fetch failed: the blob: URL is not known, or the method is not GET");
  const bytes = blobBytes(blob);
  const size = TypedArrayPrototypeGetByteLength(bytes);
  const headers = [["content-length", `${size}`], ["content-type", blobType(blob)]];
  let status = 200;
  let text = "OK";
  let content = bytes;
  if (range !== undefined) {
    const part = rangeOf(range, size);
    if (part === undefined) throw new TypeError("fetch failed: the range of a blob: URL is not valid");
    status = 206;
    text = "Partial Content";
    content = bytesSubarray(bytes, part.from, part.to);
    headers[0][1] = `${part.to - part.from}`;
    ArrayPrototypePush(headers, ["content-range", `bytes ${part.from}-${part.to - 1}/${size}`]);
  }
  return new Writer(TypedArrayPrototypeGetByteLength(content) + 256).u32(status).str(text).str(url).u8(0).pairs(headers).u8(1).bytes(content).u32(0).done();
}

// rangeOf reads "bytes=a-b", "bytes=a-" and "bytes=-n" (Fetch 2.2.2).
function rangeOf(value, size) {
  if (!StringPrototypeStartsWith(value, "bytes=")) return undefined;
  let at = 6;
  const spaces = () => { while (value[at] === " " || value[at] === "\t") at++; };
  const number = () => {
    let n;
    for (let c = StringPrototypeCharCodeAt(value, at); c >= 0x30 && c <= 0x39; c = StringPrototypeCharCodeAt(value, at)) {
      n = (n ?? 0) * 10 + c - 0x30;
      at++;
    }
    return n;
  };
  spaces();
  let from = number();
  spaces();
  if (value[at] !== "-") return undefined;
  at++;
  spaces();
  let last = number();
  if (at !== value.length || (from === undefined && last === undefined)) return undefined;
  if (from === undefined) {
    from = size - last;
    last = size - 1;
    if (from < 0) from = 0;
  } else if (last === undefined || last >= size) {
    if (last !== undefined && last < from) return undefined;
    last = size - 1;
  }
  return from > last || from >= size ? undefined : { __proto__: null, from, to: last + 1 };
}
