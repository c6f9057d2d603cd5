// What the parts of WebAssembly share: its errors, the names of its types, and
// the conversions of its arguments.
import { Error, TypeError } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Reader, Writer } from "mayfly:host";
import { WASM_OBJECT } from "mayfly:op.gen";
import { bytesOf } from "mayfly:crypto-bytes";
import {
  MathFloor, ObjectCreate, ObjectDefineProperties, ObjectDefineProperty, ObjectSetPrototypeOf, ReflectConstruct, TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength, bytesCopy, bytesSubarray,
} from "mayfly:primordials";

const { wasmPerform } = native;

// Kinds and types of the binary format, and their names here.
export const FUNCTION = 0, TABLE = 1, MEMORY = 2, GLOBAL = 3;
export const KINDS = ["function", "table", "memory", "global", "tag"];
export const I64 = 0x7e, V128 = 0x7b, FUNCREF = 0x70, EXTERNREF = 0x6f;
export const TYPES = { __proto__: null, i32: 0x7f, i64: I64, f32: 0x7d, f64: 0x7c, v128: V128, externref: EXTERNREF, anyfunc: FUNCREF, funcref: FUNCREF };
export const TABLE_TYPES = { __proto__: null, anyfunc: FUNCREF, funcref: FUNCREF, externref: EXTERNREF };
export const TYPE_NAMES = { __proto__: null };
for (const name of Object.keys(TYPES)) TYPE_NAMES[TYPES[name]] = name;

// Actions of the operation wasm_object (host/webassembly/object.go).
export const NEW_MEMORY = 0, MEMORY_GROW = 1, NEW_TABLE = 2, TABLE_GET = 3, TABLE_SET = 4, TABLE_GROW = 5, TABLE_SIZE = 6, NEW_GLOBAL = 7,
  GLOBAL_GET = 8, GLOBAL_SET = 9, FUNCTION_INFO = 10, RELEASE = 11;

export const action = (number, size = 32) => new Writer(size).u8(number);
export const perform = (writer) => new Reader(wasmPerform(WASM_OBJECT, writer.done()));

// Errors.

function defineError(name) {
  const constructor = {
    [name]: function (message = undefined, options = undefined) {
      return ReflectConstruct(Error, message === undefined && options === undefined ? [] : [message, options], new.target ?? constructor);
    },
  }[name];
  ObjectDefineProperty(constructor, "length", { __proto__: null, value: 1, configurable: true });
  ObjectSetPrototypeOf(constructor, Error);
  const prototype = ObjectCreate(Error.prototype);
  const hidden = (value) => ({ __proto__: null, value, writable: true, configurable: true });
  ObjectDefineProperties(prototype, { __proto__: null, constructor: hidden(constructor), name: hidden(name), message: hidden("") });
  ObjectDefineProperty(constructor, "prototype", { __proto__: null, value: prototype, writable: false });
  return constructor;
}
export const CompileError = defineError("CompileError");
export const LinkError = defineError("LinkError");
export const RuntimeError = defineError("RuntimeError");

// makeError is for the errors of operations: undefined for other names.
export function makeError(name, message) {
  switch (name) {
    case "CompileError": return new CompileError(message);
    case "LinkError": return new LinkError(message);
    case "RuntimeError": return new RuntimeError(message);
  }
}

// Conversions of Web IDL.

// u32 is [EnforceRange] unsigned long.
export function u32(value, what) {
  let n = +value;
  if (n !== n || n === Infinity || n === -Infinity) throw new TypeError(`${what} must be convertible to a valid number`);
  n = n < 0 ? -MathFloor(-n) : MathFloor(n);
  if (n < 0 || n > 0xffffffff) throw new TypeError(`${what} must be in the range of an unsigned long`);
  return n + 0;
}

export function descriptorOf(value, what) {
  if (value === null || typeof value !== "object" && typeof value !== "function") throw new TypeError(`${what}: Argument 0 must be a descriptor`);
  return value;
}

export function limit(descriptor, name, what, required) {
  const value = descriptor[name];
  if (value === undefined) {
    if (required) throw new TypeError(`${what}: Property '${name}' is required`);
    return undefined;
  }
  return u32(value, `${what}: Property '${name}'`);
}

// minimum is the size that something begins with, by either of its names.
export function minimum(descriptor, what) {
  const initial = limit(descriptor, "initial", what, false);
  const other = limit(descriptor, "minimum", what, false);
  if (initial !== undefined && other !== undefined) throw new TypeError(`${what}: The properties 'initial' and 'minimum' are not allowed at the same time`);
  if (initial === undefined && other === undefined) throw new TypeError(`${what}: Property 'initial' is required`);
  return initial ?? other;
}

export function sourceBytes(source, what) {
  const bytes = bytesOf(source);
  if (bytes === undefined) throw new TypeError(`${what}: Argument 0 must be a buffer source`);
  return bytesCopy(bytes);
}

export function readType(r) {
  const kind = r.u8();
  switch (kind) {
    case FUNCTION: return { __proto__: null, kind, params: bytesCopy(r.bytes()), results: bytesCopy(r.bytes()) };
    case TABLE: return { __proto__: null, kind, type: r.u8(), min: r.u32(), bounded: r.u8(), max: r.u32() };
    case MEMORY: return { __proto__: null, kind, min: r.u32(), bounded: r.u8(), max: r.u32() };
    default: return { __proto__: null, kind, type: r.u8(), mutable: r.u8() };
  }
}

// customSections answers copies of the contents of custom sections. The module
// is known to be well formed.
export function customSections(bytes, wanted) {
  const out = [];
  let at = 8;
  const number = () => {
    let n = 0;
    for (let shift = 0; ; shift += 7) {
      const b = bytes[at++];
      n += (b & 0x7f) * 2 ** shift;
      if (b < 0x80) return n;
    }
  };
  const end = TypedArrayPrototypeGetByteLength(bytes);
  while (at < end) {
    const id = bytes[at++];
    const size = number();
    const after = at + size;
    if (id === 0) {
      const length = number();
      const name = native.utf8Decode(bytesSubarray(bytes, at, at + length));
      at += length;
      if (name === wanted) {
        const copy = bytesCopy(bytesSubarray(bytes, at, after));
        out[out.length] = TypedArrayPrototypeGetBuffer(copy);
      }
    }
    at = after;
  }
  return out;
}
