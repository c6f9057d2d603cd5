// Blob and File, after the File API (§3, §4). A blob's bytes are in memory, in
// one piece that slices share.
import { TypeError, Uint8Array } from "mayfly:intrinsics";
import { utf8Decode, utf8Encode } from "mayfly:host";
import { bytesOf } from "mayfly:crypto";
import { streamOf } from "mayfly:streams";
import { customInspect } from "mayfly:inspect";
import { defineInterface, dictionary, expose, requireArguments, sequence } from "mayfly:interface";
import {
  ArrayPrototypePush, DateNow, MathTrunc, ObjectDefineProperty, PromiseReject, PromiseResolve, StringPrototypeCharCodeAt, StringPrototypeReplaceAll,
  StringPrototypeToLowerCase, StringPrototypeToWellFormed, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeSet,
  bytesCopy, bytesSubarray,
} from "mayfly:primordials";

const none = new Uint8Array(0);
let blobBytes, blobType, isBlob, adopt, shareBytes;

// A type with a character outside U+0020–U+007E is dropped.
function typeOf(value) {
  for (let i = 0; i < value.length; i++) {
    const c = StringPrototypeCharCodeAt(value, i);
    if (c < 0x20 || c > 0x7e) return "";
  }
  return StringPrototypeToLowerCase(value);
}

// A part is bytes, or text whose line breaks are still as they came.
function partOf(part) {
  const bytes = isBlob(part) ? blobBytes(part) : bytesOf(part);
  return bytes === undefined ? `${part}` : bytes;
}

function gather(parts, endings) {
  const pieces = [];
  let length = 0;
  for (let i = 0; i < parts.length; i++) {
    let bytes = parts[i];
    if (typeof bytes === "string") {
      if (endings === "native") bytes = StringPrototypeReplaceAll(StringPrototypeReplaceAll(bytes, "\r\n", "\n"), "\r", "\n");
      bytes = utf8Encode(StringPrototypeToWellFormed(bytes));
    }
    ArrayPrototypePush(pieces, bytes);
    length += TypedArrayPrototypeGetByteLength(bytes);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < pieces.length; i++) {
    TypedArrayPrototypeSet(all, pieces[i], at);
    at += TypedArrayPrototypeGetByteLength(pieces[i]);
  }
  return all;
}

export class Blob {
  #bytes = none;
  #type = "";

  constructor(blobParts = undefined, options = undefined) {
    const parts = blobParts === undefined ? undefined : sequence(blobParts, "Blob constructor: blobParts", partOf);
    const { endings = "transparent", type = "" } = dictionary(options, "Blob constructor: options");
    const ending = `${endings}`;
    if (ending !== "transparent" && ending !== "native") throw new TypeError(`Blob constructor: '${ending}' is not a value of endings`);
    this.#type = typeOf(`${type}`);
    if (parts !== undefined) this.#bytes = gather(parts, ending);
  }

  get size() { return TypedArrayPrototypeGetByteLength(this.#bytes); }
  get type() { return this.#type; }

  slice(start = 0, end = undefined, contentType = "") {
    const bytes = this.#bytes;
    const size = TypedArrayPrototypeGetByteLength(bytes);
    const from = clamp(start, size);
    const to = end === undefined ? size : clamp(end, size);
    const blob = new Blob();
    blob.#bytes = bytesSubarray(bytes, from, to > from ? to : from);
    blob.#type = typeOf(`${contentType}`);
    return blob;
  }

  // The stream gives its chunks away: it gets a copy.
  stream() { return streamOf(bytesCopy(this.#bytes)); }

  text() {
    try {
      return PromiseResolve(utf8Decode(this.#bytes));
    } catch (error) {
      return PromiseReject(error);
    }
  }
  arrayBuffer() {
    try {
      return PromiseResolve(TypedArrayPrototypeGetBuffer(bytesCopy(this.#bytes)));
    } catch (error) {
      return PromiseReject(error);
    }
  }
  bytes() {
    try {
      return PromiseResolve(bytesCopy(this.#bytes));
    } catch (error) {
      return PromiseReject(error);
    }
  }

  static {
    isBlob = (value) => typeof value === "object" && value !== null && #bytes in value;
    blobBytes = (blob) => blob.#bytes;
    blobType = (blob) => blob.#type;
    shareBytes = (blob, from) => { blob.#bytes = from.#bytes; };
    // adopt makes a blob of bytes that nobody else keeps.
    adopt = (bytes, type) => {
      const blob = new Blob();
      blob.#bytes = bytes;
      blob.#type = typeOf(type);
      return blob;
    };
  }
}
defineInterface(Blob);

function clamp(value, size) {
  let n = MathTrunc(+value);
  if (n !== n) n = 0;
  if (n < 0) return size + n < 0 ? 0 : size + n;
  return n > size ? size : n;
}

let isFile, cloneFile, fileDetails;
export class File extends Blob {
  #name;
  #lastModified;

  constructor(fileBits, fileName, options = undefined) {
    requireArguments(arguments.length, 2, "File constructor");
    super(fileBits, options);
    this.#name = StringPrototypeToWellFormed(`${fileName}`);
    const { lastModified } = dictionary(options, "File constructor: options");
    this.#lastModified = lastModified === undefined ? DateNow() : MathTrunc(+lastModified) || 0;
  }

  get name() { return this.#name; }
  get lastModified() { return this.#lastModified; }
  get webkitRelativePath() { this.#name; return ""; }

  static {
    isFile = (value) => typeof value === "object" && value !== null && #name in value;
    fileDetails = (value) => (isFile(value) ? { __proto__: null, name: value.#name, lastModified: value.#lastModified } : undefined);
    cloneFile = (file) => {
      const copy = new File(undefined, file.#name, { __proto__: null, type: blobType(file), lastModified: file.#lastModified });
      shareBytes(copy, file);
      return copy;
    };
  }
}
defineInterface(File);

// newFile makes a file of bytes that nobody else keeps.
function newFile(bytes, type, name, lastModified) {
  const file = new File(undefined, name, { __proto__: null, type, lastModified });
  shareBytes(file, adopt(bytes, ""));
  return file;
}

ObjectDefineProperty(Blob.prototype, customInspect, {
  __proto__: null, configurable: true, writable: true, enumerable: false,
  value(depth, options, inspect) {
    const file = isFile(this);
    const name = file ? "File" : "Blob";
    if (depth < 0) return `[${name}]`;
    const shown = file
      ? { size: this.size, type: this.type, name: this.name, lastModified: this.lastModified }
      : { size: this.size, type: this.type };
    return `${name} ${inspect(shown, options)}`;
  },
});

export { isBlob, isFile, blobBytes, blobType, adopt as adoptBlob, cloneFile, fileDetails, newFile };
expose({ Blob, File });
