// FileReader and its ProgressEvent, after the File API (§6). Blobs are in memory,
// so that a read has one chunk; its events come in turns of their own all the
// same.
import { DOMException, TypeError } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Event, EventTarget, dispatch, getHandler, setHandler, setTrusted } from "mayfly:event";
import { blobBytes, blobType, isBlob } from "mayfly:blob";
import { defineInterface, dictionary, expose, requireArguments } from "mayfly:interface";
import {
  ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, StringPrototypeIndexOf, StringPrototypeSlice, StringPrototypeToLowerCase, StringPrototypeTrim,
  TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteLength, bytesCopy, uncurryThis,
} from "mayfly:primordials";
import { queueTask } from "mayfly:timers";

const { TextDecoder, btoa } = globalThis;
const decode = uncurryThis(TextDecoder.prototype.decode);

export class ProgressEvent extends Event {
  #lengthComputable; #loaded; #total;
  constructor(type, eventInitDict = undefined) {
    super(type, eventInitDict);
    const { lengthComputable = false, loaded = 0, total = 0 } = dictionary(eventInitDict);
    this.#lengthComputable = !!lengthComputable;
    this.#loaded = +loaded || 0;
    this.#total = +total || 0;
  }
  get lengthComputable() { return this.#lengthComputable; }
  get loaded() { return this.#loaded; }
  get total() { return this.#total; }
}
defineInterface(ProgressEvent);

const EMPTY = 0;
const LOADING = 1;
const DONE = 2;

// decoderFor answers a decoder for a label, undefined if there is none of it.
function decoderFor(label) {
  try {
    return new TextDecoder(label);
  } catch {
    return undefined;
  }
}

function charsetOf(type) {
  const lower = StringPrototypeToLowerCase(type);
  const at = StringPrototypeIndexOf(lower, "charset=");
  if (at < 0) return undefined;
  const end = StringPrototypeIndexOf(lower, ";", at);
  return StringPrototypeTrim(StringPrototypeSlice(lower, at + 8, end < 0 ? lower.length : end));
}

// textOf decodes as a byte order mark says, else by the label, the charset of
// the type, or as UTF-8 (§6.4, package data).
function textOf(bytes, label, type) {
  let name;
  if (bytes[0] === 0xfe && bytes[1] === 0xff) name = "utf-16be";
  else if (bytes[0] === 0xff && bytes[1] === 0xfe) name = "utf-16le";
  else if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) name = "utf-8";
  let decoder = decoderFor(name ?? label);
  if (decoder === undefined || (name === undefined && label === undefined)) {
    const charset = name === undefined ? charsetOf(type) : name;
    decoder = charset === undefined ? undefined : decoderFor(charset);
  }
  return decode(decoder ?? new TextDecoder(), bytes);
}

function resultOf(kind, bytes, label, type) {
  switch (kind) {
    case "buffer": return TypedArrayPrototypeGetBuffer(bytesCopy(bytes));
    case "binary": return native.latin1Decode(bytes);
    case "url": return `data:${type || "application/octet-stream"};base64,${btoa(native.latin1Decode(bytes))}`;
    default: return textOf(bytes, label, type);
  }
}

function fire(reader, type, loaded = 0, total = 0) {
  const event = new ProgressEvent(type, { __proto__: null, lengthComputable: total > 0, loaded, total });
  setTrusted(event);
  dispatch(reader, event);
}

export class FileReader extends EventTarget {
  #state = EMPTY;
  #result = null;
  #error = null;
  #round = 0; // counts reads, so that an aborted one is known

  #read(count, blob, kind, label) {
    requireArguments(count, 1, "FileReader");
    if (!isBlob(blob)) throw new TypeError("FileReader: the argument is not a Blob");
    if (this.#state === LOADING) throw new DOMException("The reader is reading already.", "InvalidStateError");
    this.#state = LOADING;
    this.#result = this.#error = null;
    const round = ++this.#round;
    const bytes = blobBytes(blob);
    const type = blobType(blob);
    const total = TypedArrayPrototypeGetByteLength(bytes);
    const step = (act) => queueTask(() => { if (this.#round === round && this.#state === LOADING) act(); });
    step(() => {
      fire(this, "loadstart", 0, total);
      step(() => {
        if (total > 0) fire(this, "progress", total, total);
        step(() => {
          this.#state = DONE;
          try {
            this.#result = resultOf(kind, bytes, label, type);
          } catch (error) {
            this.#error = error;
          }
          fire(this, this.#error === null ? "load" : "error", total, total);
          // In a turn of its own, so that promises of listeners come first.
          queueTask(() => { if (this.#round === round) fire(this, "loadend", total, total); });
        });
      });
    });
  }

  readAsArrayBuffer(blob) { this.#read(arguments.length, blob, "buffer"); }
  readAsBinaryString(blob) { this.#read(arguments.length, blob, "binary"); }
  readAsText(blob, encoding = undefined) { this.#read(arguments.length, blob, "text", encoding === undefined ? undefined : `${encoding}`); }
  readAsDataURL(blob) { this.#read(arguments.length, blob, "url"); }

  abort() {
    this.#result = null;
    if (this.#state !== LOADING) return;
    this.#state = DONE;
    this.#round++;
    fire(this, "abort");
    if (this.#state !== LOADING) fire(this, "loadend");
  }

  get readyState() { return this.#state; }
  get result() { return this.#result; }
  get error() { return this.#error; }
}
for (const type of ["loadstart", "progress", "load", "abort", "error", "loadend"]) {
  const name = `on${type}`;
  const readyState = uncurryThis(ObjectGetOwnPropertyDescriptor(FileReader.prototype, "readyState").get);
  const { get, set } = ObjectGetOwnPropertyDescriptor({
    get [name]() { readyState(this); return getHandler(this, type); },
    set [name](value) { readyState(this); setHandler(this, type, value); },
  }, name);
  ObjectDefineProperty(FileReader.prototype, name, { __proto__: null, get, set, enumerable: true, configurable: true });
}
defineInterface(FileReader, "FileReader", { EMPTY, LOADING, DONE });

expose({ FileReader, ProgressEvent });
