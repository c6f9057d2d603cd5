// FormData, after the XMLHttpRequest standard (§4), and its multipart form,
// after HTML's multipart/form-data encoding and RFC 7578.
import { Array, Object, Symbol, TypeError, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Writer, call, utf8Decode, utf8Encode } from "mayfly:host";
import { RANDOM } from "mayfly:op.gen";
import { File, adoptBlob, blobBytes, blobType, isBlob, isFile } from "mayfly:blob";
import { customInspect } from "mayfly:inspect";
import { defineInterface, expose, requireArguments } from "mayfly:interface";
import {
  ArrayPrototypePush, FunctionPrototypeCall, NumberPrototypeToString, ObjectDefineProperty, StringPrototypeIndexOf, StringPrototypeReplaceAll, StringPrototypeSlice,
  StringPrototypeStartsWith, StringPrototypeToLowerCase, StringPrototypeToWellFormed, StringPrototypeTrim, SymbolIterator, SymbolToStringTag,
  TypedArrayPrototypeGetByteLength, TypedArrayPrototypeSet, bytesCopy, bytesSubarray, uncurryThis,
} from "mayfly:primordials";

const { URLSearchParams } = globalThis;
const usv = (value) => StringPrototypeToWellFormed(`${value}`);

// valueOf converts an entry's value: a string, or a File.
function valueOf(value, filename, named) {
  if (!isBlob(value)) {
    if (named) throw new TypeError("FormData: a filename is only for a Blob");
    return usv(value);
  }
  if (isFile(value) && !named) return value;
  return new File([value], named ? usv(filename) : isFile(value) ? value.name : "blob", { __proto__: null, type: blobType(value) });
}

let entriesOf, isFormData;

export class FormData {
  #entries = [];

  constructor(form = undefined) {
    if (form !== undefined) throw new TypeError("FormData constructor: there are no forms here");
  }

  append(name, value, filename = undefined) {
    requireArguments(arguments.length, 2, "FormData.append");
    name = usv(name);
    ArrayPrototypePush(this.#entries, { __proto__: null, name, value: valueOf(value, filename, arguments.length > 2 && filename !== undefined) });
  }

  delete(name) {
    requireArguments(arguments.length, 1, "FormData.delete");
    name = usv(name);
    const kept = [];
    for (let i = 0; i < this.#entries.length; i++) if (this.#entries[i].name !== name) ArrayPrototypePush(kept, this.#entries[i]);
    this.#entries = kept;
  }

  get(name) {
    requireArguments(arguments.length, 1, "FormData.get");
    name = usv(name);
    for (let i = 0; i < this.#entries.length; i++) if (this.#entries[i].name === name) return this.#entries[i].value;
    return null;
  }

  getAll(name) {
    requireArguments(arguments.length, 1, "FormData.getAll");
    name = usv(name);
    const values = [];
    for (let i = 0; i < this.#entries.length; i++) if (this.#entries[i].name === name) ArrayPrototypePush(values, this.#entries[i].value);
    return values;
  }

  has(name) {
    requireArguments(arguments.length, 1, "FormData.has");
    name = usv(name);
    for (let i = 0; i < this.#entries.length; i++) if (this.#entries[i].name === name) return true;
    return false;
  }

  set(name, value, filename = undefined) {
    requireArguments(arguments.length, 2, "FormData.set");
    name = usv(name);
    value = valueOf(value, filename, arguments.length > 2 && filename !== undefined);
    const kept = [];
    let placed = false;
    for (let i = 0; i < this.#entries.length; i++) {
      const entry = this.#entries[i];
      if (entry.name !== name) {
        ArrayPrototypePush(kept, entry);
      } else if (!placed) {
        placed = true;
        ArrayPrototypePush(kept, { __proto__: null, name, value });
      }
    }
    if (!placed) ArrayPrototypePush(kept, { __proto__: null, name, value });
    this.#entries = kept;
  }

  entries() { return iterate(this, (entry) => [entry.name, entry.value]); }
  keys() { return iterate(this, (entry) => entry.name); }
  values() { return iterate(this, (entry) => entry.value); }
  forEach(callback, thisArg = undefined) {
    requireArguments(arguments.length, 1, "FormData.forEach");
    if (typeof callback !== "function") throw new TypeError("FormData.forEach: the callback is not a function");
    for (let i = 0; i < this.#entries.length; i++) FunctionPrototypeCall(callback, thisArg, this.#entries[i].value, this.#entries[i].name, this);
  }

  static {
    entriesOf = (data) => data.#entries;
    isFormData = (value) => typeof value === "object" && value !== null && #entries in value;
  }
}
defineInterface(FormData);
ObjectDefineProperty(FormData.prototype, SymbolIterator, { __proto__: null, value: FormData.prototype.entries, writable: true, configurable: true });
ObjectDefineProperty(FormData.prototype, customInspect, {
  __proto__: null, writable: true, configurable: true, enumerable: false,
  value(depth, options, inspect) {
    const shown = {};
    for (const { name, value } of entriesOf(this)) {
      if (!Object.hasOwn(shown, name)) shown[name] = value;
      else if (Array.isArray(shown[name])) shown[name].push(value);
      else shown[name] = [shown[name], value];
    }
    return `FormData ${inspect(shown, options)}`;
  },
});

// The iterator of pairs that Web IDL describes: live, over the list by index.
const IteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
class FormDataIterator {
  #data;
  #pick;
  #at = 0;
  constructor(data, pick) {
    this.#data = data;
    this.#pick = pick;
  }
  next() {
    const entries = entriesOf(this.#data);
    if (this.#at >= entries.length) return { value: undefined, done: true };
    return { value: this.#pick(entries[this.#at++]), done: false };
  }
}
const iteratorPrototype = Object.create(IteratorPrototype, {
  next: { value: FormDataIterator.prototype.next, writable: true, enumerable: true, configurable: true },
  [SymbolToStringTag]: { value: "FormData Iterator", configurable: true },
});

function iterate(data, pick) {
  entriesOf(data);
  const iterator = new FormDataIterator(data, pick);
  return Object.setPrototypeOf(iterator, iteratorPrototype);
}

// ---- multipart/form-data

const CRLF = "\r\n";

// Line breaks of names and values are CRLF in this form.
const breaks = (text) => StringPrototypeReplaceAll(StringPrototypeReplaceAll(StringPrototypeReplaceAll(text, CRLF, "\n"), "\r", "\n"), "\n", CRLF);
const quoted = (text) => StringPrototypeReplaceAll(StringPrototypeReplaceAll(StringPrototypeReplaceAll(text, "\n", "%0A"), "\r", "%0D"), '"', "%22");
const unquoted = (text) => StringPrototypeReplaceAll(StringPrototypeReplaceAll(StringPrototypeReplaceAll(text, "%0A", "\n"), "%0D", "\r"), "%22", '"');

export function encodeFormData(data) {
  const random = call(RANDOM, new Writer(4).u32(12).done());
  let boundary = "----mayfly-form-data-";
  for (let i = 0; i < 12; i++) boundary += NumberPrototypeToString(random[i] % 36, 36);
  const pieces = [];
  let length = 0;
  const add = (bytes) => {
    ArrayPrototypePush(pieces, bytes);
    length += TypedArrayPrototypeGetByteLength(bytes);
  };
  const entries = entriesOf(data);
  for (let i = 0; i < entries.length; i++) {
    const { name, value } = entries[i];
    let head = `--${boundary}${CRLF}Content-Disposition: form-data; name="${quoted(breaks(name))}"`;
    if (typeof value === "string") {
      add(utf8Encode(`${head}${CRLF}${CRLF}${breaks(value)}${CRLF}`));
      continue;
    }
    head += `; filename="${quoted(nameOf(value))}"${CRLF}Content-Type: ${blobType(value) || "application/octet-stream"}${CRLF}${CRLF}`;
    add(utf8Encode(head));
    add(blobBytes(value));
    add(utf8Encode(CRLF));
  }
  add(utf8Encode(`--${boundary}--${CRLF}`));
  const bytes = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < pieces.length; i++) {
    TypedArrayPrototypeSet(bytes, pieces[i], at);
    at += TypedArrayPrototypeGetByteLength(pieces[i]);
  }
  return { __proto__: null, bytes, type: `multipart/form-data; boundary=${boundary}` };
}
const nameOf = uncurryThis(Object.getOwnPropertyDescriptor(File.prototype, "name").get);

// parameter answers a parameter of a header's value, undefined if it is missing.
// escapes: a backslash makes the next character plain, as in Content-Type; in
// Content-Disposition browsers escape by percent, and a backslash is itself.
function parameter(text, name, escapes) {
  let at = StringPrototypeIndexOf(text, ";");
  while (at >= 0) {
    at++;
    while (text[at] === " " || text[at] === "\t") at++;
    const equals = StringPrototypeIndexOf(text, "=", at);
    if (equals < 0) return undefined;
    const key = StringPrototypeToLowerCase(StringPrototypeTrim(StringPrototypeSlice(text, at, equals)));
    let value;
    if (text[equals + 1] === '"') {
      let end = equals + 2;
      if (escapes) {
        value = "";
        while (end < text.length && text[end] !== '"') {
          if (text[end] === "\\" && end + 1 < text.length) end++;
          value += text[end++];
        }
      } else {
        end = StringPrototypeIndexOf(text, '"', end);
        if (end < 0) return undefined;
        value = StringPrototypeSlice(text, equals + 2, end);
      }
      if (end >= text.length) return undefined;
      at = StringPrototypeIndexOf(text, ";", end);
    } else {
      const end = StringPrototypeIndexOf(text, ";", equals);
      value = StringPrototypeTrim(StringPrototypeSlice(text, equals + 1, end < 0 ? text.length : end));
      at = end;
    }
    if (key === name) return value;
  }
  return undefined;
}

// Limits of a form that is read: what is beyond is no form but an attack.
const MAX_PARTS = 10000;
const MAX_HEADERS = 16384; // bytes of one part's

const malformed = (what) => new TypeError(`The body is not valid multipart/form-data: ${what}`);
const fromLatin1 = (text) => utf8Decode(native.latin1Encode(text));

export function decodeFormData(bytes, type) {
  const semicolon = StringPrototypeIndexOf(type, ";");
  const essence = StringPrototypeToLowerCase(StringPrototypeTrim(semicolon < 0 ? type : StringPrototypeSlice(type, 0, semicolon)));
  const data = new FormData();
  const entries = entriesOf(data);
  if (essence === "application/x-www-form-urlencoded") {
    // The constructor drops one question mark, which would be a part of the form.
    const parameters = new URLSearchParams(`?${utf8Decode(bytes)}`);
    eachParameter(parameters, (value, name) => ArrayPrototypePush(entries, { __proto__: null, name, value }));
    return data;
  }
  if (essence !== "multipart/form-data") throw new TypeError(`The body can't be read as a form: its type is ${essence || "missing"}`);
  const boundary = parameter(type, "boundary", true);
  if (boundary === undefined || boundary === "") throw malformed("no boundary");
  const delimiter = `--${boundary}`;
  const text = native.latin1Decode(bytes);
  let at = StringPrototypeStartsWith(text, delimiter) ? 0 : StringPrototypeIndexOf(text, `${CRLF}${delimiter}`) + 2;
  if (at === 1) throw malformed("the boundary is missing");
  for (let parts = 0; ; parts++) {
    at += delimiter.length;
    if (StringPrototypeStartsWith(text, "--", at)) return data;
    while (text[at] === " " || text[at] === "\t") at++;
    if (!StringPrototypeStartsWith(text, CRLF, at)) throw malformed("a boundary does not end its line");
    at += 2;
    if (parts >= MAX_PARTS) throw malformed(`it has more than ${MAX_PARTS} parts`);
    const start = at;
    let name, filename;
    let contentType = "";
    for (;;) {
      const end = StringPrototypeIndexOf(text, CRLF, at);
      if (end < 0) throw malformed("a part's headers do not end");
      if (end - start > MAX_HEADERS) throw malformed(`a part's headers are longer than ${MAX_HEADERS} bytes`);
      const line = StringPrototypeSlice(text, at, end);
      at = end + 2;
      if (line === "") break;
      const colon = StringPrototypeIndexOf(line, ":");
      if (colon <= 0) throw malformed("a header of a part has no name");
      const header = StringPrototypeToLowerCase(StringPrototypeSlice(line, 0, colon));
      const value = StringPrototypeTrim(StringPrototypeSlice(line, colon + 1));
      if (header === "content-disposition") {
        if (!StringPrototypeStartsWith(StringPrototypeToLowerCase(value), "form-data")) throw malformed("a part is not form-data");
        name = parameter(value, "name", false);
        filename = parameter(value, "filename", false);
      } else if (header === "content-type") {
        contentType = value;
      }
    }
    if (name === undefined) throw malformed("a part has no name");
    const end = StringPrototypeIndexOf(text, `${CRLF}${delimiter}`, at);
    if (end < 0) throw malformed("a part does not end");
    const body = bytesSubarray(bytes, at, end);
    name = unquoted(fromLatin1(name));
    let value;
    if (filename === undefined) {
      value = utf8Decode(body);
    } else {
      value = new File([adoptBlob(bytesCopy(body), "")], unquoted(fromLatin1(filename)), { __proto__: null, type: contentType || "text/plain" });
    }
    ArrayPrototypePush(entries, { __proto__: null, name, value });
    at = end + 2;
  }
}
const eachParameter = uncurryThis(URLSearchParams.prototype.forEach);

export { isFormData };
expose({ FormData });
