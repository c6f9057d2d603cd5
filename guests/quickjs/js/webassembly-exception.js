// WebAssembly.Tag and WebAssembly.Exception. The engine has no exceptions: a
// module that throws or catches them is refused, but these can be thrown and
// caught by JavaScript.
import { Error, RangeError, TypeError } from "mayfly:intrinsics";
import native from "mayfly:native";
import { requireArguments } from "mayfly:interface";
import { ObjectDefineProperty } from "mayfly:primordials";
import { toList } from "mayfly:webassembly-keep";
import { TYPES, TYPE_NAMES, descriptorOf } from "mayfly:webassembly-types";

const { wasmNumber, wasmValue } = native;
const MAX = 0xffffffff;

export class Tag {
  #types = [];

  constructor(descriptor) {
    const what = "WebAssembly.Tag()";
    requireArguments(arguments.length, 1, "WebAssembly.Tag");
    const { parameters } = descriptorOf(descriptor, what);
    if (parameters === null || typeof parameters !== "object") throw new TypeError(`${what}: Argument 0 must be a tag type with 'parameters'`);
    const list = toList(parameters);
    for (let i = 0; i < list.length; i++) {
      const type = TYPES[`${list[i]}`];
      if (type === undefined) throw new TypeError(`${what}: Argument 0 parameter type at index #${i} must be a value type`);
      this.#types[i] = type;
    }
  }

  type() {
    const parameters = [];
    for (let i = 0; i < this.#types.length; i++) parameters[i] = TYPE_NAMES[this.#types[i]];
    return { parameters };
  }

  static types(value) {
    return value !== null && typeof value === "object" && #types in value ? value.#types : undefined;
  }
}
const { types: typesOf } = Tag;
delete Tag.types;

export class Exception {
  #tag;
  #values = [];

  constructor(tag, payload = undefined, options = undefined) {
    const what = "WebAssembly.Exception()";
    requireArguments(arguments.length, 1, "WebAssembly.Exception");
    const types = typesOf(tag);
    if (types === undefined) throw new TypeError(`${what}: Argument 0 must be a WebAssembly tag`);
    if (payload === null || typeof payload !== "object") throw new TypeError(`${what}: Argument 1 must be iterable`);
    const list = toList(payload);
    if (list.length !== types.length) throw new TypeError(`${what}: Number of exception values does not match signature length`);
    this.#tag = tag;
    for (let i = 0; i < list.length; i++) this.#values[i] = wasmNumber(types[i], wasmValue(undefined, types[i], list[i]));
    if (options !== undefined && options !== null && options.traceStack) {
      ObjectDefineProperty(this, "stack", { __proto__: null, value: new Error().stack, writable: true, configurable: true });
    }
  }

  is(tag) {
    requireArguments(arguments.length, 1, "WebAssembly.Exception.is");
    if (typesOf(tag) === undefined) throw new TypeError("WebAssembly.Exception.is(): Argument 0 must be a WebAssembly tag");
    return this.#tag === tag;
  }

  getArg(tag, index) {
    requireArguments(arguments.length, 2, "WebAssembly.Exception.getArg");
    if (typesOf(tag) === undefined) throw new TypeError("WebAssembly.Exception.getArg(): Argument 0 must be a WebAssembly tag");
    const n = +index;
    if (this.#tag !== tag) throw new TypeError("WebAssembly.Exception.getArg(): First argument does not match the exception tag");
    if (!(n >= 0 && n <= MAX) || n >= this.#values.length) throw new RangeError("WebAssembly.Exception.getArg(): Index must be convertible to a valid number");
    return this.#values[n - n % 1];
  }
}
