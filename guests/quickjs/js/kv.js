// The binding kv_namespace: KVNamespace of the Workers runtime API.
import { Map, TypeError } from "mayfly:intrinsics";
import { Writer, utf8Decode, utf8Encode } from "mayfly:host";
import { contentOf, defineKind, newError, own, perform, respond } from "mayfly:binding";
import { defineInterface, dictionary, requireArguments } from "mayfly:interface";
import {
  ArrayIsArray, ArrayPrototypePush, JSONParse, JSONStringify, MapPrototypeSet, PromiseReject, StringPrototypeToWellFormed, promiseThen, uncurryThis,
} from "mayfly:primordials";

const GET = 1;
const PUT = 2;
const DELETE = 3;
const LIST = 4;
const WITH_METADATA = 1;
const MANY = 2;

const MAX_KEY = 512;
const MIN_CACHE_TTL = 30;
const MAX_MANY = 100;

const { Response } = globalThis;
const responseText = uncurryThis(Response.prototype.text);
const responseJSON = uncurryThis(Response.prototype.json);
const responseArrayBuffer = uncurryThis(Response.prototype.arrayBuffer);
const responseBody = uncurryThis(Reflect.getOwnPropertyDescriptor(Response.prototype, "body").get);

function keyOf(value, method) {
  const key = StringPrototypeToWellFormed(`${value}`);
  if (key === "") throw new TypeError("Key name cannot be empty.");
  if (key === "." || key === "..") throw new TypeError(`"${key}" is not allowed as a key name.`);
  const { length } = utf8Encode(key);
  if (length > MAX_KEY) throw newError(`KV ${method} failed: 414 UTF-8 encoded length of ${length} exceeds key length limit of ${MAX_KEY}.`);
  return key;
}

// typeOf reads the second argument of get: a type, or options.
function typeOf(options, many) {
  let type = "text";
  if (typeof options === "string") {
    type = options;
  } else {
    const { type: given, cacheTtl } = dictionary(options, "KV get(): options");
    if (given !== undefined) type = `${given}`;
    // There is one copy of a value: nothing to cache.
    if (cacheTtl !== undefined && cacheTtl !== null && !(+cacheTtl >= MIN_CACHE_TTL)) {
      throw newError(`KV GET failed: 400 Invalid cache_ttl of ${cacheTtl}. Cache TTL must be at least ${MIN_CACHE_TTL}.`);
    }
  }
  switch (type) {
    case "text": case "json": return type;
    case "arrayBuffer": case "stream":
      if (!many) return type;
      throw newError(`KV GET_BULK failed: 400 "${type}" is not a valid type. Use "json" or "text"`);
  }
  throw new TypeError('Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".');
}

const metadataOf = (text) => (text === "" ? null : JSONParse(text));

// valueOf answers what a type makes of a reply: a value or a promise of it.
function valueOf(reply, type) {
  const response = respond(reply);
  switch (type) {
    case "text": return responseText(response);
    case "json": return responseJSON(response);
    case "arrayBuffer": return responseArrayBuffer(response);
  }
  return responseBody(response);
}

function withMetadata(value, metadata) {
  return { value, metadata, cacheStatus: null };
}

// number reads an option that is a number of seconds; NaN if it is not given.
function number(value) {
  return value === undefined || value === null ? NaN : +value;
}

let constructible = false;

export class KvNamespace {
  #reference;

  constructor(reference) {
    if (!constructible) throw new TypeError("Illegal constructor");
    this.#reference = reference;
  }

  // Answers promises also where the arguments are wrong, as the platform does.
  #get(key, options, metadata) {
    const reference = this.#reference;
    if (ArrayIsArray(key)) return this.#getMany(key, options, metadata);
    const type = typeOf(options, false);
    const args = new Writer(64).u32(1).str(keyOf(key, "GET")).u8(metadata ? WITH_METADATA : 0).done();
    return perform(reference, GET, args, undefined, (answer, reply) => {
      const found = answer.u8() === 1;
      const text = answer.str();
      if (!found) return metadata ? withMetadata(null, null) : null;
      const value = valueOf(reply, type);
      if (!metadata) return value;
      if (type === "stream") return withMetadata(value, metadataOf(text));
      return promiseThen(value, (v) => withMetadata(v, metadataOf(text)));
    });
  }

  #getMany(keys, options, metadata) {
    const type = typeOf(options, true);
    const { length } = keys;
    if (length > MAX_MANY) throw newError(`KV GET_BULK failed: 400 You can request a maximum of ${MAX_MANY} keys`);
    const names = [];
    const w = new Writer(64 * length + 64).u32(length);
    for (let i = 0; i < length; i++) {
      names[i] = keyOf(keys[i], "GET_BULK");
      w.str(names[i]);
    }
    const args = w.u8(MANY | (metadata ? WITH_METADATA : 0)).done();
    return perform(this.#reference, GET, args, undefined, (answer) => {
      const map = new Map();
      answer.u32();
      for (let i = 0; i < length; i++) {
        const found = answer.u8() === 1;
        const about = metadataOf(answer.str());
        const text = utf8Decode(answer.bytes());
        const value = !found ? null : type === "json" ? JSONParse(text) : text;
        MapPrototypeSet(map, names[i], metadata ? withMetadata(value, found ? about : null) : value);
      }
      return map;
    });
  }

  get(key, options = undefined) {
    try {
      requireArguments(arguments.length, 1, "KVNamespace.get");
      return this.#get(key, options, false);
    } catch (error) {
      return PromiseReject(error);
    }
  }

  getWithMetadata(key, options = undefined) {
    try {
      requireArguments(arguments.length, 1, "KVNamespace.getWithMetadata");
      return this.#get(key, options, true);
    } catch (error) {
      return PromiseReject(error);
    }
  }

  put(key, value, options = undefined) {
    try {
      requireArguments(arguments.length, 2, "KVNamespace.put");
      const reference = this.#reference;
      const name = keyOf(key, "PUT");
      const { expiration, expirationTtl, metadata } = dictionary(options, "KV put(): options");
      const content = typeof value === "object" && value !== null ? contentOf(value) : contentOf(`${value}`);
      if (content === undefined) throw new TypeError("KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.");
      const about = metadata === undefined || metadata === null ? "" : JSONStringify(metadata) ?? "";
      const args = new Writer(128).str(name).f64(number(expiration)).f64(number(expirationTtl)).str(about).done();
      return perform(reference, PUT, args, content, () => undefined);
    } catch (error) {
      return PromiseReject(error);
    }
  }

  delete(key) {
    try {
      requireArguments(arguments.length, 1, "KVNamespace.delete");
      return perform(this.#reference, DELETE, new Writer(64).str(keyOf(key, "DELETE")).done(), undefined, () => undefined);
    } catch (error) {
      return PromiseReject(error);
    }
  }

  list(options = undefined) {
    try {
      const { limit, prefix, cursor } = dictionary(options, "KV list(): options");
      const text = (v) => (v === undefined || v === null ? "" : StringPrototypeToWellFormed(`${v}`));
      const args = new Writer(64).f64(number(limit)).str(text(prefix)).str(text(cursor)).done();
      return perform(this.#reference, LIST, args, undefined, (answer) => {
        const keys = [];
        const n = answer.u32();
        for (let i = 0; i < n; i++) {
          const key = { name: answer.str() };
          const expiration = answer.f64();
          const about = answer.str();
          if (expiration === expiration) own(key, "expiration", expiration);
          if (about !== "") own(key, "metadata", metadataOf(about));
          ArrayPrototypePush(keys, key);
        }
        const complete = answer.u8() === 1;
        const next = answer.str();
        return complete ? { keys, list_complete: true, cacheStatus: null } : { keys, list_complete: false, cursor: next, cacheStatus: null };
      });
    } catch (error) {
      return PromiseReject(error);
    }
  }
}
defineInterface(KvNamespace);

defineKind("kv_namespace", (reference) => {
  constructible = true;
  try {
    return new KvNamespace(reference);
  } finally {
    constructible = false;
  }
});
