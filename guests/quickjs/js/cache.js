// caches: Cache and CacheStorage as Workers have them, with their methods put,
// match and delete, in the memory of the isolate: what is put there lasts as long
// as that does, a session's as long as the session. Freshness is that of HTTP
// (RFC 9111) for a shared cache.
import { Map, TypeError } from "mayfly:intrinsics";
import { defineInterface, dictionary, expose, requireArguments } from "mayfly:interface";
import {
  ArrayPrototypePush, DateNow, MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet, ObjectGetOwnPropertyDescriptor, StringPrototypeIndexOf,
  StringPrototypeSlice, StringPrototypeStartsWith, StringPrototypeToLowerCase, StringPrototypeTrim, TypedArrayPrototypeGetByteLength, bytesCopy, bytesSubarray,
  uncurryThis,
} from "mayfly:primordials";

const { Date, Headers, Request, Response } = globalThis;
const getter = (c, name) => uncurryThis(ObjectGetOwnPropertyDescriptor(c.prototype, name).get);
const urlOf = getter(Request, "url"), methodOf = getter(Request, "method"), requestHeaders = getter(Request, "headers");
const statusOf = getter(Response, "status"), statusTextOf = getter(Response, "statusText"), responseHeaders = getter(Response, "headers");
const bodyUsed = getter(Response, "bodyUsed");
const bytesOfResponse = uncurryThis(Response.prototype.bytes);
const header = uncurryThis(Headers.prototype.get);
const setHeader = uncurryThis(Headers.prototype.set);
const eachHeader = uncurryThis(Headers.prototype.forEach);
const parseDate = Date.parse;

const internal = {};

// itemsOf takes a list in a header apart: lower-case names, with their values.
function itemsOf(text) {
  const items = new Map();
  if (text === null) return items;
  let at = 0;
  while (at <= text.length) {
    let end = StringPrototypeIndexOf(text, ",", at);
    if (end < 0) end = text.length;
    const item = StringPrototypeTrim(StringPrototypeSlice(text, at, end));
    const equals = StringPrototypeIndexOf(item, "=");
    let value = equals < 0 ? "" : StringPrototypeTrim(StringPrototypeSlice(item, equals + 1));
    if (StringPrototypeStartsWith(value, '"')) value = StringPrototypeSlice(value, 1, -1);
    MapPrototypeSet(items, StringPrototypeToLowerCase(equals < 0 ? item : StringPrototypeTrim(StringPrototypeSlice(item, 0, equals))), value);
    at = end + 1;
  }
  return items;
}

// expiryOf is the time until which a response is fresh, in Unix milliseconds:
// 0 if it may not be kept, infinite if it does not say.
function expiryOf(headers) {
  const directives = itemsOf(header(headers, "cache-control"));
  const has = (name) => MapPrototypeGet(directives, name) !== undefined;
  const hidesCookies = StringPrototypeToLowerCase(MapPrototypeGet(directives, "private") ?? "") === "set-cookie";
  if (has("no-store") || has("no-cache") || (has("private") && !hidesCookies)) return 0;
  if (header(headers, "set-cookie") !== null && !hidesCookies) return 0;
  const age = MapPrototypeGet(directives, "s-maxage") ?? MapPrototypeGet(directives, "max-age");
  if (age !== undefined) {
    const seconds = +age;
    return seconds > 0 ? DateNow() + seconds * 1000 : 0;
  }
  const expires = header(headers, "expires");
  if (expires === null) return Infinity;
  const until = parseDate(expires);
  return until > DateNow() ? until : 0;
}

// keyOf is a request's URL without its fragment: what is kept is kept by that.
function keyOf(request) {
  const url = urlOf(request);
  if (!StringPrototypeStartsWith(url, "http:") && !StringPrototypeStartsWith(url, "https:")) {
    throw new TypeError("Cache: the request's URL is not one of http or https");
  }
  const hash = StringPrototypeIndexOf(url, "#");
  return hash < 0 ? url : StringPrototypeSlice(url, 0, hash);
}

const asRequest = (input) => new Request(input);

const sameTag = (a, b) => (StringPrototypeStartsWith(a, "W/") ? StringPrototypeSlice(a, 2) : a) === (StringPrototypeStartsWith(b, "W/") ? StringPrototypeSlice(b, 2) : b);

// isUnchanged says whether the request's conditions have it that the client's
// copy is good (RFC 9110, 13.1).
function isUnchanged(headers, kept) {
  const tags = header(headers, "if-none-match");
  if (tags !== null) {
    const tag = header(kept, "etag");
    if (StringPrototypeTrim(tags) === "*") return true;
    if (tag === null) return false;
    let at = 0;
    while (at <= tags.length) {
      let end = StringPrototypeIndexOf(tags, ",", at);
      if (end < 0) end = tags.length;
      if (sameTag(StringPrototypeTrim(StringPrototypeSlice(tags, at, end)), tag)) return true;
      at = end + 1;
    }
    return false;
  }
  const since = header(headers, "if-modified-since");
  const modified = header(kept, "last-modified");
  return since !== null && modified !== null && parseDate(modified) <= parseDate(since);
}

// partOf reads a range of one part: "bytes=1-2", "bytes=1-", "bytes=-2". It
// answers undefined for what is to be ignored, null for what can't be had.
function partOf(text, size) {
  if (text === null || !StringPrototypeStartsWith(text, "bytes=")) return undefined;
  const dash = StringPrototypeIndexOf(text, "-");
  if (dash < 0 || StringPrototypeIndexOf(text, ",") >= 0) return undefined;
  const first = StringPrototypeTrim(StringPrototypeSlice(text, 6, dash));
  const last = StringPrototypeTrim(StringPrototypeSlice(text, dash + 1));
  let from = first === "" ? NaN : +first;
  let to = last === "" ? size - 1 : +last;
  if (first === "") {
    if (last === "" || to !== to) return undefined;
    from = size - to < 0 ? 0 : size - to;
    to = size - 1;
  }
  if (from !== from || to !== to || from > to) return from >= size ? null : undefined;
  if (from >= size) return null;
  return { __proto__: null, from, to: to >= size ? size - 1 : to };
}

export class Cache {
  #entries = new Map(); // URL → { status, statusText, headers, bytes, expires }

  constructor(key = undefined) {
    if (key !== internal) throw new TypeError("Illegal constructor");
  }

  async put(request, response) {
    this.#entries;
    requireArguments(arguments.length, 2, "Cache.put");
    request = asRequest(request);
    if (methodOf(request) !== "GET") throw new TypeError("Cannot cache response to non-GET request.");
    const key = keyOf(request);
    const status = statusOf(response);
    if (status === 206) throw new TypeError("Cannot cache response to a range request (206 Partial Content).");
    const headers = responseHeaders(response);
    const vary = itemsOf(header(headers, "vary"));
    if (MapPrototypeGet(vary, "*") !== undefined) throw new TypeError("Cannot cache response with 'Vary: *' header.");
    if (bodyUsed(response)) throw new TypeError("Cannot cache a response whose body was used.");
    const expires = expiryOf(headers);
    const kept = [];
    const cookies = header(headers, "set-cookie") !== null;
    eachHeader(headers, (value, name) => { if (!cookies || name !== "set-cookie") ArrayPrototypePush(kept, [name, value]); });
    const statusText = statusTextOf(response);
    const bytes = await bytesOfResponse(response);
    if (expires === 0) return;
    MapPrototypeSet(this.#entries, key, { __proto__: null, status, statusText, headers: kept, bytes, expires });
  }

  async match(request, options = undefined) {
    this.#entries;
    requireArguments(arguments.length, 1, "Cache.match");
    request = asRequest(request);
    const { ignoreMethod } = dictionary(options, "Cache.match: options");
    if (methodOf(request) !== "GET" && !ignoreMethod) return undefined;
    const key = keyOf(request);
    const entry = MapPrototypeGet(this.#entries, key);
    if (entry === undefined) return undefined;
    if (entry.expires <= DateNow()) {
      MapPrototypeDelete(this.#entries, key);
      return undefined;
    }
    const headers = new Headers(entry.headers);
    setHeader(headers, "cf-cache-status", "HIT");
    const asked = requestHeaders(request);
    if (isUnchanged(asked, headers)) return new Response(null, { __proto__: null, status: 304, headers });
    const size = TypedArrayPrototypeGetByteLength(entry.bytes);
    const part = entry.status === 200 ? partOf(header(asked, "range"), size) : undefined;
    if (part === null) {
      setHeader(headers, "content-range", `bytes */${size}`);
      return new Response(null, { __proto__: null, status: 416, headers });
    }
    if (part !== undefined) {
      setHeader(headers, "content-range", `bytes ${part.from}-${part.to}/${size}`);
      setHeader(headers, "content-length", `${part.to - part.from + 1}`);
      return new Response(bytesCopy(bytesSubarray(entry.bytes, part.from, part.to + 1)), { __proto__: null, status: 206, headers });
    }
    const { status, statusText } = entry;
    const empty = status === 204 || status === 205 || status === 304;
    return new Response(empty ? null : bytesCopy(entry.bytes), { __proto__: null, status, statusText, headers });
  }

  async delete(request, options = undefined) {
    this.#entries;
    requireArguments(arguments.length, 1, "Cache.delete");
    request = asRequest(request);
    const { ignoreMethod } = dictionary(options, "Cache.delete: options");
    if (methodOf(request) !== "GET" && !ignoreMethod) return false;
    return MapPrototypeDelete(this.#entries, keyOf(request));
  }
}
defineInterface(Cache);

export class CacheStorage {
  #default;
  #named = new Map();

  constructor(key = undefined) {
    if (key !== internal) throw new TypeError("Illegal constructor");
  }

  get default() {
    this.#named;
    return this.#default ??= new Cache(internal);
  }

  async open(cacheName) {
    this.#named;
    requireArguments(arguments.length, 1, "CacheStorage.open");
    const name = `${cacheName}`;
    let cache = MapPrototypeGet(this.#named, name);
    if (cache === undefined) MapPrototypeSet(this.#named, name, cache = new Cache(internal));
    return cache;
  }
}
defineInterface(CacheStorage);

export const caches = new CacheStorage(internal);

expose({ Cache, CacheStorage, caches });
