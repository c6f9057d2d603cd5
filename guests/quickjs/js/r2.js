// The binding r2_bucket: R2Bucket of the Workers runtime API and what it
// answers with.
import { Date, RangeError, TypeError } from "mayfly:intrinsics";
import { Writer, utf8Encode } from "mayfly:host";
import { adoptBlob } from "mayfly:blob";
import { contentOf, defineKind, newError, own, perform, respond } from "mayfly:binding";
import { defineInterface, dictionary, requireArguments } from "mayfly:interface";
import { bytesOf } from "mayfly:crypto";
import {
  ArrayIsArray, ArrayPrototypePush, DateParse, DatePrototypeGetTime, DatePrototypeToUTCString, NumberIsInteger, ObjectKeys, PromiseReject,
  StringPrototypeCharCodeAt, StringPrototypeEndsWith, StringPrototypeIndexOf, StringPrototypeSlice, StringPrototypeStartsWith, StringPrototypeToWellFormed,
  TypedArrayPrototypeGetBuffer, bytesCopy, promiseThen, uncurryThis,
} from "mayfly:primordials";

const HEAD = 1;
const GET = 2;
const PUT = 3;
const DELETE = 4;
const LIST = 5;
const CREATE = 6;
const PART = 7;
const COMPLETE = 8;
const ABORT = 9;

const INCLUDE_HTTP = 1;
const INCLUDE_CUSTOM = 2;
const INCLUDE_RANGE = 4;

const MAX_PARTS = 10000;

const { Headers, Response } = globalThis;
const headersGet = uncurryThis(Headers.prototype.get);
const headersSet = uncurryThis(Headers.prototype.set);
const getter = (name) => uncurryThis(Reflect.getOwnPropertyDescriptor(Response.prototype, name).get);
const responseBody = getter("body");
const responseBodyUsed = getter("bodyUsed");
const responseText = uncurryThis(Response.prototype.text);
const responseJSON = uncurryThis(Response.prototype.json);
const responseArrayBuffer = uncurryThis(Response.prototype.arrayBuffer);
const responseBytes = uncurryThis(Response.prototype.bytes);

// isHeaders asks for the class's own brand.
function isHeaders(value) {
  if (typeof value !== "object" || value === null) return false;
  try {
    headersGet(value, "range");
    return true;
  } catch {
    return false;
  }
}

const given = (value) => value !== undefined && value !== null;
const textOf = (value) => (given(value) ? StringPrototypeToWellFormed(`${value}`) : "");
const keyOf = (value) => StringPrototypeToWellFormed(`${value}`);

// failure makes R2's error of the host's: the method before its message, the
// code behind it.
function failure(action) {
  return (error) => {
    const { code, message, name } = error;
    if (typeof code !== "string" || name !== "Error") return error;
    const numeric = +code === +code;
    const wrapped = newError(numeric ? `${action}: ${message} (${code})` : `${action}: ${message}`);
    own(wrapped, "action", action);
    own(wrapped, "code", numeric ? +code : code);
    return wrapped;
  };
}

// ---- options

const HTTP_FIELDS = ["contentType", "contentLanguage", "contentDisposition", "contentEncoding", "cacheControl"];
const HTTP_HEADERS = ["content-type", "content-language", "content-disposition", "content-encoding", "cache-control"];

function timeOf(value, what) {
  if (!given(value)) return NaN;
  let time;
  try {
    time = DatePrototypeGetTime(value);
  } catch {
    throw new TypeError(`${what} must be a Date`);
  }
  if (time !== time) throw new TypeError(`${what} is an invalid Date`);
  return time;
}

const headerTime = (value) => (value === null ? NaN : DateParse(value));

function writeHTTP(w, value) {
  if (isHeaders(value)) {
    for (let i = 0; i < HTTP_HEADERS.length; i++) w.str(headersGet(value, HTTP_HEADERS[i]) ?? "");
    w.f64(headerTime(headersGet(value, "expires")));
    return;
  }
  const fields = dictionary(value, "httpMetadata");
  for (let i = 0; i < HTTP_FIELDS.length; i++) w.str(textOf(fields[HTTP_FIELDS[i]]));
  w.f64(timeOf(fields.cacheExpiry, "cacheExpiry"));
}

function writeCustom(w, value) {
  const fields = dictionary(value, "customMetadata");
  const names = ObjectKeys(fields);
  w.u32(names.length);
  for (let i = 0; i < names.length; i++) {
    w.str(keyOf(names[i]));
    w.str(keyOf(fields[names[i]]));
  }
}

const isSpace = (c) => c === 0x20 || c === 0x09;
const COMMA = 0x2c;
const QUOTE = 0x22;
const STAR = 0x2a;

// parseETags reads a list of entity tags (RFC 9110, section 13.1.1).
function parseETags(header) {
  const list = [];
  const { length } = header;
  let at = 0;
  const blank = () => {
    while (at < length && isSpace(StringPrototypeCharCodeAt(header, at))) at++;
  };
  for (;;) {
    blank();
    if (at >= length) return list;
    const c = StringPrototypeCharCodeAt(header, at);
    if (c === COMMA) {
      at++;
      continue;
    }
    if (c === STAR) return ["*"];
    const from = at;
    if (StringPrototypeStartsWith(header, "W/", at)) at += 2;
    if (StringPrototypeCharCodeAt(header, at) !== QUOTE) throw newError("Invalid conditional header");
    const end = StringPrototypeIndexOf(header, '"', at + 1);
    if (end < 0) throw newError("Unclosed double quote for Etag");
    ArrayPrototypePush(list, StringPrototypeSlice(header, from, end + 1));
    at = end + 1;
    blank();
    if (at < length && StringPrototypeCharCodeAt(header, at) !== COMMA) throw newError("Comma was expected to separate etags.");
  }
}

function etagOf(value) {
  const etag = keyOf(value);
  if (StringPrototypeStartsWith(etag, '"') && StringPrototypeEndsWith(etag, '"')) throw new TypeError(`Conditional ETag should not be wrapped in quotes (${etag}).`);
  return [etag === "*" ? "*" : `"${etag}"`];
}

function writeStrings(w, list) {
  w.u32(list.length);
  for (let i = 0; i < list.length; i++) w.str(list[i]);
}

// writeCondition writes the option onlyIf.
function writeCondition(w, value) {
  let matches;
  let not;
  let before = NaN;
  let after = NaN;
  let seconds = false;
  if (isHeaders(value)) {
    seconds = true;
    const match = headersGet(value, "if-match");
    const none = headersGet(value, "if-none-match");
    if (match !== null) matches = parseETags(match);
    if (none !== null) not = parseETags(none);
    before = headerTime(headersGet(value, "if-unmodified-since"));
    after = headerTime(headersGet(value, "if-modified-since"));
  } else {
    const { etagMatches, etagDoesNotMatch, uploadedBefore, uploadedAfter, secondsGranularity } = dictionary(value, "onlyIf");
    if (given(etagMatches)) matches = etagOf(etagMatches);
    if (given(etagDoesNotMatch)) not = etagOf(etagDoesNotMatch);
    before = timeOf(uploadedBefore, "uploadedBefore");
    after = timeOf(uploadedAfter, "uploadedAfter");
    seconds = !!secondsGranularity;
  }
  w.u8((matches !== undefined ? 1 : 0) | (not !== undefined ? 2 : 0) | (seconds ? 4 : 0));
  writeStrings(w, matches ?? []);
  writeStrings(w, not ?? []);
  w.f64(before).f64(after);
}

function rangeNumber(value, what) {
  if (!given(value)) return NaN;
  const n = +value;
  if (!(n >= 0)) throw new RangeError(`Invalid range. ${what} (${n}) must be greater than or equal to 0.`);
  if (!NumberIsInteger(n)) throw new RangeError(`Invalid range. ${what} (${n}) must be an integer, not floating point.`);
  return n;
}

function writeRange(w, value) {
  if (isHeaders(value)) {
    w.f64(NaN).f64(NaN).f64(NaN).str(headersGet(value, "range") ?? "");
    return;
  }
  const { offset, length, suffix } = dictionary(value, "range");
  if (given(suffix)) {
    if (given(offset)) throw new TypeError("Suffix is incompatible with offset.");
    if (given(length)) throw new TypeError("Suffix is incompatible with length.");
  }
  w.f64(rangeNumber(offset, "Starting offset")).f64(rangeNumber(length, "Length")).f64(rangeNumber(suffix, "Suffix")).str("");
}

const DIGESTS = [["md5", "MD5", 16], ["sha1", "SHA-1", 20], ["sha256", "SHA-256", 32], ["sha384", "SHA-384", 48], ["sha512", "SHA-512", 64]];

function fromHex(text, title, size) {
  if (text.length !== 2 * size) throw new TypeError(`${title} is ${2 * size} hex characters, not ${text.length}`);
  const bytes = bytesCopy(utf8Encode(StringPrototypeSlice(text, 0, size)));
  const digit = (at) => {
    const c = StringPrototypeCharCodeAt(text, at);
    if (c >= 0x30 && c <= 0x39) return c - 0x30;
    const lower = c | 0x20;
    if (lower >= 0x61 && lower <= 0x66) return lower - 0x57;
    throw new TypeError(`Provided ${title} wasn't a valid hex string`);
  };
  for (let i = 0; i < size; i++) bytes[i] = digit(2 * i) * 16 + digit(2 * i + 1);
  return bytes;
}

// writeDigest writes the one digest that a put announces.
function writeDigest(w, options) {
  let name = "";
  let digest = utf8Encode("");
  for (let i = 0; i < DIGESTS.length; i++) {
    const value = options[DIGESTS[i][0]];
    if (!given(value)) continue;
    if (name !== "") throw new TypeError("You cannot specify multiple hashing algorithms.");
    name = DIGESTS[i][0];
    const title = DIGESTS[i][1];
    const size = DIGESTS[i][2];
    if (typeof value === "string") {
      digest = fromHex(value, title, size);
    } else {
      digest = bytesOf(value);
      if (digest === undefined) throw new TypeError(`${title} must be a hex string, an ArrayBuffer or a view of one`);
      if (digest.length !== size) throw new TypeError(`${title} is ${size} bytes, not ${digest.length}`);
    }
  }
  w.str(name).bytes(digest);
}

// refuseKeys refuses what this server does not do, rather than store in the
// clear what was to be encrypted.
function refuseKeys(options) {
  if (given(options.ssecKey)) throw new TypeError("Encryption with a key of one's own (ssecKey) is not offered here");
}

function contentToPut(value, action) {
  if (value === null) return utf8Encode("");
  const content = contentOf(value);
  if (content === undefined) throw new TypeError(`${action}: the value must be a string, an ArrayBuffer, a view of one, a Blob, a ReadableStream or null`);
  return content;
}

// ---- objects

let constructible = false;
function make(construct) {
  constructible = true;
  try {
    return construct();
  } finally {
    constructible = false;
  }
}
function guard() {
  if (!constructible) throw new TypeError("Illegal constructor");
}

const hex = (bytes) => {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += "0123456789abcdef"[bytes[i] >> 4] + "0123456789abcdef"[bytes[i] & 15];
  return text;
};

export class R2Checksums {
  #bytes;
  constructor(list) {
    guard();
    this.#bytes = list;
    for (let i = 0; i < list.length; i++) own(this, list[i][0], TypedArrayPrototypeGetBuffer(bytesCopy(list[i][1])));
  }
  toJSON() {
    const result = {};
    for (let i = 0; i < this.#bytes.length; i++) own(result, this.#bytes[i][0], hex(this.#bytes[i][1]));
    return result;
  }
}
defineInterface(R2Checksums);

// readObject reads an object's description, to the arguments of its class.
function readObject(r) {
  const o = { __proto__: null, key: r.str(), version: r.str(), size: r.f64(), etag: r.str(), uploaded: r.f64(), storageClass: r.str() };
  const flags = r.u8();
  const http = {};
  for (let i = 0; i < HTTP_FIELDS.length; i++) {
    const value = r.str();
    if (value !== "") own(http, HTTP_FIELDS[i], value);
  }
  const expiry = r.f64();
  if (expiry === expiry) own(http, "cacheExpiry", new Date(expiry));
  const pairs = r.pairs();
  const offset = r.f64();
  const length = r.f64();
  const sums = [];
  const n = r.u32();
  for (let i = 0; i < n; i++) sums[i] = [r.str(), bytesCopy(r.bytes())];
  o.sums = sums;
  o.http = flags & INCLUDE_HTTP ? http : undefined;
  o.custom = undefined;
  if (flags & INCLUDE_CUSTOM) {
    o.custom = {};
    for (let i = 0; i < pairs.length; i++) own(o.custom, pairs[i][0], pairs[i][1]);
  }
  o.range = flags & INCLUDE_RANGE ? { offset, length } : undefined;
  return o;
}

export class R2Object {
  #http;

  // The properties are the object's own, so that it can be spread and shown.
  constructor(o) {
    guard();
    this.#http = o.http;
    own(this, "key", o.key);
    own(this, "version", o.version);
    own(this, "size", o.size);
    own(this, "etag", o.etag);
    own(this, "httpEtag", `"${o.etag}"`);
    own(this, "uploaded", new Date(o.uploaded));
    own(this, "checksums", new R2Checksums(o.sums));
    if (o.http !== undefined) own(this, "httpMetadata", o.http);
    if (o.custom !== undefined) own(this, "customMetadata", o.custom);
    if (o.range !== undefined) own(this, "range", o.range);
    own(this, "storageClass", o.storageClass);
  }

  writeHttpMetadata(headers) {
    const http = this.#http;
    if (http === undefined) throw new TypeError(`HTTP metadata unknown for key \`${this.key}\`. Did you forget to add 'httpMetadata' to \`include\` when listing?`);
    for (let i = 0; i < HTTP_FIELDS.length; i++) {
      const value = http[HTTP_FIELDS[i]];
      if (value !== undefined) headersSet(headers, HTTP_HEADERS[i], value);
    }
    if (http.cacheExpiry !== undefined) headersSet(headers, "expires", DatePrototypeToUTCString(http.cacheExpiry));
  }
}
defineInterface(R2Object);

export class R2ObjectBody extends R2Object {
  #response;
  #type;

  constructor(o, response) {
    super(o);
    this.#response = response;
    this.#type = o.http?.contentType ?? "";
  }

  get body() { return responseBody(this.#response); }
  get bodyUsed() { return responseBodyUsed(this.#response); }
  arrayBuffer() { return responseArrayBuffer(this.#response); }
  bytes() { return responseBytes(this.#response); }
  text() { return responseText(this.#response); }
  json() { return responseJSON(this.#response); }
  blob() { return promiseThen(responseBytes(this.#response), (bytes) => adoptBlob(bytes, this.#type)); }
}
defineInterface(R2ObjectBody);

const objectOf = (answer) => make(() => new R2Object(readObject(answer)));

// attempt answers what f does, or a promise rejected with what it throws.
function attempt(f) {
  try {
    return f();
  } catch (error) {
    return PromiseReject(error);
  }
}

export class R2MultipartUpload {
  #reference;

  constructor(reference, key, uploadId) {
    guard();
    this.#reference = reference;
    own(this, "key", key);
    own(this, "uploadId", uploadId);
  }

  uploadPart(partNumber, value, options = undefined) {
    return attempt(() => {
      requireArguments(arguments.length, 2, "R2MultipartUpload.uploadPart");
      const number = +partNumber;
      if (!(number >= 1 && number <= MAX_PARTS && NumberIsInteger(number))) {
        throw new TypeError(`Part number must be between 1 and ${MAX_PARTS} (inclusive). Actual value was: ${number}`);
      }
      refuseKeys(dictionary(options, "uploadPart: options"));
      const args = new Writer(128).str(this.key).str(this.uploadId).u32(number).done();
      return perform(this.#reference, PART, args, contentToPut(value, "uploadPart"), (answer) => ({ partNumber: number, etag: answer.str() }), failure("uploadPart"));
    });
  }

  abort() {
    return attempt(() => perform(this.#reference, ABORT, new Writer(128).str(this.key).str(this.uploadId).done(), undefined, () => undefined, failure("abortMultipartUpload")));
  }

  complete(uploadedParts) {
    return attempt(() => {
      if (!ArrayIsArray(uploadedParts)) throw new TypeError("completeMultipartUpload: uploadedParts must be an array");
      const { length } = uploadedParts;
      const w = new Writer(64 * length + 128).str(this.key).str(this.uploadId).u32(length);
      for (let i = 0; i < length; i++) {
        const { partNumber, etag } = dictionary(uploadedParts[i], "completeMultipartUpload: a part");
        const number = +partNumber;
        if (!(number >= 1 && number <= MAX_PARTS && NumberIsInteger(number))) {
          throw new TypeError(`Part number must be between 1 and ${MAX_PARTS} (inclusive). Actual value was: ${number}`);
        }
        w.u32(number).str(keyOf(etag));
      }
      return perform(this.#reference, COMPLETE, w.done(), undefined, objectOf, failure("completeMultipartUpload"));
    });
  }
}
defineInterface(R2MultipartUpload);

export class R2Bucket {
  #reference;

  constructor(reference) {
    guard();
    this.#reference = reference;
  }

  head(key) {
    return attempt(() => {
      requireArguments(arguments.length, 1, "R2Bucket.head");
      return perform(this.#reference, HEAD, new Writer(64).str(keyOf(key)).done(), undefined, (answer) => (answer.u8() === 1 ? objectOf(answer) : null), failure("head"));
    });
  }

  get(key, options = undefined) {
    return attempt(() => {
      requireArguments(arguments.length, 1, "R2Bucket.get");
      const asked = dictionary(options, "get: options");
      refuseKeys(asked);
      const w = new Writer(128).str(keyOf(key));
      writeCondition(w, asked.onlyIf);
      writeRange(w, asked.range);
      return perform(this.#reference, GET, w.done(), undefined, (answer, reply) => {
        const state = answer.u8();
        if (state === 0) return null;
        const o = readObject(answer);
        return make(() => (state === 1 ? new R2ObjectBody(o, respond(reply)) : new R2Object(o)));
      }, failure("get"));
    });
  }

  put(key, value, options = undefined) {
    return attempt(() => {
      requireArguments(arguments.length, 2, "R2Bucket.put");
      const asked = dictionary(options, "put: options");
      refuseKeys(asked);
      const w = new Writer(256).str(keyOf(key));
      writeCondition(w, asked.onlyIf);
      writeHTTP(w, asked.httpMetadata);
      writeCustom(w, asked.customMetadata);
      writeDigest(w, asked);
      w.str(textOf(asked.storageClass));
      return perform(this.#reference, PUT, w.done(), contentToPut(value, "put"), (answer) => (answer.u8() === 1 ? objectOf(answer) : null), failure("put"));
    });
  }

  delete(keys) {
    return attempt(() => {
      requireArguments(arguments.length, 1, "R2Bucket.delete");
      const list = ArrayIsArray(keys) ? keys : [keys];
      const w = new Writer(64).u32(list.length);
      for (let i = 0; i < list.length; i++) w.str(keyOf(list[i]));
      return perform(this.#reference, DELETE, w.done(), undefined, () => undefined, failure("delete"));
    });
  }

  list(options = undefined) {
    return attempt(() => {
      const { limit, prefix, cursor, delimiter, startAfter, include } = dictionary(options, "list: options");
      let flags = 0;
      if (given(include)) {
        if (!ArrayIsArray(include)) throw new TypeError("list: include must be an array");
        for (let i = 0; i < include.length; i++) {
          switch (`${include[i]}`) {
            case "httpMetadata": flags |= INCLUDE_HTTP; break;
            case "customMetadata": flags |= INCLUDE_CUSTOM; break;
            default: throw new RangeError(`Unsupported include value ${include[i]}`);
          }
        }
      }
      const args = new Writer(128).f64(given(limit) ? +limit : NaN).str(textOf(prefix)).str(textOf(cursor)).str(textOf(delimiter)).str(textOf(startAfter)).u8(flags).done();
      return perform(this.#reference, LIST, args, undefined, (answer) => {
        const next = answer.str();
        const objects = [];
        const n = answer.u32();
        for (let i = 0; i < n; i++) ArrayPrototypePush(objects, objectOf(answer));
        const delimitedPrefixes = [];
        const m = answer.u32();
        for (let i = 0; i < m; i++) ArrayPrototypePush(delimitedPrefixes, answer.str());
        return next === "" ? { objects, truncated: false, delimitedPrefixes } : { objects, truncated: true, cursor: next, delimitedPrefixes };
      }, failure("list"));
    });
  }

  createMultipartUpload(key, options = undefined) {
    return attempt(() => {
      requireArguments(arguments.length, 1, "R2Bucket.createMultipartUpload");
      const asked = dictionary(options, "createMultipartUpload: options");
      refuseKeys(asked);
      const name = keyOf(key);
      const w = new Writer(256).str(name);
      writeHTTP(w, asked.httpMetadata);
      writeCustom(w, asked.customMetadata);
      w.str(textOf(asked.storageClass));
      return perform(this.#reference, CREATE, w.done(), undefined, (answer) => make(() => new R2MultipartUpload(this.#reference, name, answer.str())), failure("createMultipartUpload"));
    });
  }

  // Nothing is asked of the host: whether there is such an upload shows when it
  // is used.
  resumeMultipartUpload(key, uploadId) {
    requireArguments(arguments.length, 2, "R2Bucket.resumeMultipartUpload");
    return make(() => new R2MultipartUpload(this.#reference, keyOf(key), keyOf(uploadId)));
  }
}
defineInterface(R2Bucket);

defineKind("r2_bucket", (reference) => make(() => new R2Bucket(reference)));
