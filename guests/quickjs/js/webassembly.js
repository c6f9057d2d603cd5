// The WebAssembly namespace (WebAssembly JavaScript Interface). Modules are
// compiled and instances live at the host, under handles; see c/wasm.h for what
// calls them and is called by them.
import { RangeError, TypeError } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Reader, Writer } from "mayfly:host";
import { WASM_COMPILE, WASM_INSTANTIATE, WASM_OBJECT } from "mayfly:op.gen";
import { defineInterface, expose, requireArguments } from "mayfly:interface";
import {
  ArrayBufferPrototypeGetByteLength, ArrayPrototypePush, ObjectDefineProperty, ObjectFreeze, PromiseReject, PromiseResolve, SetPrototypeAdd, SymbolToStringTag,
  TypedArrayPrototypeGetByteLength, WeakMapPrototypeGet, promiseThen,
} from "mayfly:primordials";
import {
  CompileError, EXTERNREF, FUNCREF, FUNCTION, GLOBAL, GLOBAL_GET, GLOBAL_SET, I64, KINDS, LinkError, MEMORY, MEMORY_GROW, NEW_GLOBAL, NEW_MEMORY, NEW_TABLE,
  RuntimeError, TABLE, TABLE_GET, TABLE_GROW, TABLE_SET, TABLE_SIZE, TABLE_TYPES, TYPES, TYPE_NAMES, V128, action, customSections, descriptorOf, limit, minimum, perform, readType, sourceBytes, u32,
} from "mayfly:webassembly-types";
import { exported, externs, fromFunction, link, newKeep, reference, registerKeep, setWrapper, wrapperOf } from "mayfly:webassembly-keep";
import { responseBytes } from "mayfly:webassembly-response";
import { Exception, Tag } from "mayfly:webassembly-exception";

const { wasmBuffer, wasmImport, wasmNumber, wasmPerform, wasmRefresh, wasmType, wasmValue } = native;

// Module.

// compile makes the record of a module. Its bytes stay, so that it can be
// compiled anew where the program goes on in another isolate.
function compile(bytes) {
  const r = new Reader(wasmPerform(WASM_COMPILE, new Writer(TypedArrayPrototypeGetByteLength(bytes) + 8).bytes(bytes).done()));
  const record = { __proto__: null, bytes, handle: r.f64(), imports: [], exports: [], keep: newKeep() };
  for (let n = r.u32(); n > 0; n--) {
    const module = r.str();
    const name = r.str();
    ArrayPrototypePush(record.imports, { __proto__: null, module, name, type: readType(r) });
  }
  for (let n = r.u32(); n > 0; n--) {
    const name = r.str();
    ArrayPrototypePush(record.exports, { __proto__: null, name, type: readType(r) });
  }
  registerKeep(record.keep, record.handle);
  return record;
}

// anew compiles a module again if its isolate has ended.
function anew(record) {
  const { handle, keep } = compile(record.bytes);
  record.handle = handle;
  record.keep = keep;
}

const make = { __proto__: null, record: undefined };

class Module {
  #record;

  constructor(bytes) {
    if (make.record !== undefined) {
      this.#record = make.record;
      return;
    }
    requireArguments(arguments.length, 1, "WebAssembly.Module");
    this.#record = compile(sourceBytes(bytes, "WebAssembly.Module()"));
  }

  static exports(module) {
    requireArguments(arguments.length, 1, "WebAssembly.Module.exports");
    const list = recordOf(module, "WebAssembly.Module.exports()").exports;
    const out = [];
    for (let i = 0; i < list.length; i++) out[i] = { name: list[i].name, kind: KINDS[list[i].type.kind] };
    return out;
  }

  static imports(module) {
    requireArguments(arguments.length, 1, "WebAssembly.Module.imports");
    const list = recordOf(module, "WebAssembly.Module.imports()").imports;
    const out = [];
    for (let i = 0; i < list.length; i++) out[i] = { module: list[i].module, name: list[i].name, kind: KINDS[list[i].type.kind] };
    return out;
  }

  static customSections(module, name) {
    requireArguments(arguments.length, 2, "WebAssembly.Module.customSections");
    const record = recordOf(module, "WebAssembly.Module.customSections()");
    if (name === undefined) throw new TypeError("WebAssembly.Module.customSections(): Argument 1 is required");
    return customSections(record.bytes, `${name}`);
  }

  static record(value) {
    return value !== null && typeof value === "object" && #record in value ? value.#record : undefined;
  }
}
const moduleRecord = Module.record;
delete Module.record;

function recordOf(value, what) {
  const record = moduleRecord(value);
  if (record === undefined) throw new TypeError(`${what}: Argument 0 must be a WebAssembly.Module`);
  return record;
}

function moduleOf(record) {
  make.record = record;
  try {
    return new Module();
  } finally {
    make.record = undefined;
  }
}

// moduleFrom makes a Module of bytes that nobody else holds.
export const moduleFrom = (bytes) => moduleOf(compile(bytes));

// Instance.

// resolve reads the imports of a module out of an object, and answers what the
// host is to be told, and what has to be kept.
function resolve(record, object) {
  const { imports } = record;
  if (object !== undefined && (object === null || typeof object !== "object" && typeof object !== "function")) {
    throw new TypeError("WebAssembly.Instance(): Argument 1 must be an object");
  }
  if (imports.length > 0 && object === undefined) throw new TypeError("WebAssembly.Instance(): Imports argument must be present and must be an object");
  const values = [];
  for (let i = 0; i < imports.length; i++) {
    const { module, name, type } = imports[i];
    const from = object[module];
    if (from === null || typeof from !== "object" && typeof from !== "function") {
      throw new TypeError(`WebAssembly.Instance(): Import #${i} "${module}": module is not an object or function`);
    }
    values[i] = checkImport(from[name], type, () => `WebAssembly.Instance(): Import #${i} "${module}" "${name}"`);
  }
  return values;
}

function checkImport(value, type, what) {
  switch (type.kind) {
    case FUNCTION:
      if (typeof value !== "function") throw new LinkError(`${what()}: function import requires a callable`);
      return value;
    case TABLE:
      if (tableHandle(value) === undefined) throw new LinkError(`${what()}: table import requires a WebAssembly.Table`);
      return value;
    case MEMORY:
      if (memoryHandle(value) === undefined) throw new LinkError(`${what()}: memory import must be a WebAssembly.Memory object`);
      return value;
    case GLOBAL: {
      if (globalHandle(value) !== undefined) return value;
      if (type.mutable) throw new LinkError(`${what()}: imported mutable global must be a WebAssembly.Global object`);
      const t = type.type;
      if (t === V128) throw new LinkError(`${what()}: global import of type v128 must be a WebAssembly.Global object`);
      if (t === EXTERNREF) return value;
      if (t === FUNCREF) {
        if (value !== null && (typeof value !== "function" || WeakMapPrototypeGet(exported, value) === undefined)) {
          throw new LinkError(`${what()}: imported funcref global must be null or WebAssembly function object`);
        }
        return value;
      }
      if (t === I64 ? typeof value !== "bigint" : typeof value !== "number") {
        throw new LinkError(`${what()}: global import must be a ${t === I64 ? "BigInt" : "number"}${t === I64 ? "" : ", valid Wasm reference,"} or WebAssembly.Global object`);
      }
      return value;
    }
    default:
      throw new LinkError(`${what()}: unknown kind of import`);
  }
}

const IMPORT_FUNCTION = 0, IMPORT_HANDLE = 1, IMPORT_NUMBER = 2;

function raw(w, bytes) {
  for (let i = 0; i < 8; i++) w.u8(bytes[i]);
}

// start makes an instance: its keep and its exports.
function start(record, values) {
  const keep = newKeep();
  keep.module = record.keep;
  keep.functions = []; // what of JavaScript the instance may call
  const ids = [];
  const { imports } = record;
  const w = new Writer(16 + 17 * imports.length);
  const links = [];
  w.f64(record.handle).u32(imports.length);
  for (let i = 0; i < imports.length; i++) {
    const { type } = imports[i];
    const value = values[i];
    switch (type.kind) {
      case FUNCTION: {
        const known = WeakMapPrototypeGet(exported, value);
        if (known !== undefined) {
          w.u8(IMPORT_HANDLE).f64(known.handle);
          ArrayPrototypePush(links, known.keep);
          break;
        }
        const id = wasmImport(keep, value, wasmType(type.params, type.results));
        ArrayPrototypePush(keep.functions, value);
        ArrayPrototypePush(ids, id);
        w.u8(IMPORT_FUNCTION).f64(id);
        break;
      }
      case TABLE:
        w.u8(IMPORT_HANDLE).f64(tableHandle(value));
        ArrayPrototypePush(links, tableKeep(value));
        break;
      case MEMORY:
        w.u8(IMPORT_HANDLE).f64(memoryHandle(value));
        SetPrototypeAdd(keep.strong, memoryKeep(value));
        break;
      default: {
        const handle = globalHandle(value);
        if (handle !== undefined) {
          w.u8(IMPORT_HANDLE).f64(handle);
          ArrayPrototypePush(links, globalKeep(value));
        } else {
          w.u8(IMPORT_NUMBER);
          raw(w, wasmValue(keep, type.type, value));
        }
      }
    }
  }
  // What its start function may put anywhere has to be kept from now on.
  for (let i = 0; i < links.length; i++) link(keep, links[i]);
  const r = new Reader(wasmPerform(WASM_INSTANTIATE, w.done()));
  const handle = r.f64();
  registerKeep(keep, handle, ids);
  const exports = { __proto__: null };
  const n = r.u32();
  for (let i = 0; i < n; i++) {
    const of = r.f64();
    const memory = r.u32();
    const { name, type } = record.exports[i];
    let value = wrapperOf(of);
    if (value === undefined) {
      switch (type.kind) {
        case FUNCTION: value = fromFunction(of); break;
        case TABLE: value = existing(Table, keep, of, 0, type); break;
        case MEMORY: value = existing(Memory, keep, of, memory, type); break;
        default: value = existing(Global, keep, of, 0, type);
      }
    }
    ObjectDefineProperty(exports, name, { __proto__: null, value, enumerable: true });
  }
  ObjectFreeze(exports);
  return { __proto__: null, keep, exports };
}

const MODULE_GONE = "ERR_WASM_MODULE_GONE";

function instantiate(record, values) {
  try {
    return start(record, values);
  } catch (error) {
    if (error === null || typeof error !== "object" || error.code !== MODULE_GONE) throw error;
    anew(record);
    return start(record, values);
  }
}

class Instance {
  #record;

  constructor(module, importObject = undefined) {
    if (make.record !== undefined) {
      this.#record = make.record;
    } else {
      requireArguments(arguments.length, 1, "WebAssembly.Instance");
      const record = recordOf(module, "WebAssembly.Instance()");
      this.#record = instantiate(record, resolve(record, importObject));
    }
  }

  get exports() {
    return this.#record.exports;
  }
}

function instanceOf(record) {
  make.record = record;
  try {
    return new Instance();
  } finally {
    make.record = undefined;
  }
}

// Memory.

const PAGE = 65536;
const MAX_PAGES = 65536;

function limits(type, max) {
  if (max !== undefined) type.maximum = max;
  return type;
}
const given = { __proto__: null, keep: undefined, handle: 0, id: 0, type: undefined };

class Memory {
  #keep;
  #handle;
  #id;
  #max; // undefined if there is none

  constructor(descriptor) {
    if (given.keep !== undefined) {
      this.#keep = given.keep;
      this.#handle = given.handle;
      this.#id = given.id;
      this.#max = given.type.bounded ? given.type.max : undefined;
      return;
    }
    const what = "WebAssembly.Memory()";
    requireArguments(arguments.length, 1, "WebAssembly.Memory");
    descriptorOf(descriptor, what);
    const min = minimum(descriptor, what);
    const max = limit(descriptor, "maximum", what, false);
    if (descriptor.shared) throw new TypeError(`${what}: shared memories are not supported`);
    if (min > MAX_PAGES || max > MAX_PAGES || max < min) throw new RangeError(`${what}: the size is out of range`);
    const r = perform(action(NEW_MEMORY).u32(min).u8(max === undefined ? 0 : 1).u32(max ?? 0));
    this.#keep = newKeep();
    this.#handle = r.f64();
    this.#id = r.u32();
    this.#max = max;
    registerKeep(this.#keep, this.#handle);
    setWrapper(this.#keep, this.#handle, this);
  }

  grow(delta) {
    this.#keep;
    requireArguments(arguments.length, 1, "WebAssembly.Memory.grow");
    const n = u32(delta, "WebAssembly.Memory.grow(): Argument 0");
    const previous = perform(action(MEMORY_GROW).f64(this.#handle).u32(n)).u32();
    wasmRefresh(this.#id);
    return previous;
  }

  get buffer() {
    return wasmBuffer(this.#id);
  }

  // type is of the proposal for type reflection, as those below.
  type() {
    return limits({ minimum: ArrayBufferPrototypeGetByteLength(wasmBuffer(this.#id)) / PAGE, shared: false }, this.#max);
  }

  static handle(value) { return value !== null && typeof value === "object" && #keep in value ? value.#handle : undefined; }
  static keep(value) { return value.#keep; }
}

// Table.

class Table {
  #keep;
  #handle;
  #type;
  #max;

  constructor(descriptor, value = undefined) {
    if (given.keep !== undefined) {
      this.#keep = given.keep;
      this.#handle = given.handle;
      this.#type = given.type.type;
      this.#max = given.type.bounded ? given.type.max : undefined;
      return;
    }
    const what = "WebAssembly.Table()";
    requireArguments(arguments.length, 1, "WebAssembly.Table");
    descriptorOf(descriptor, what);
    const element = `${descriptor.element}`;
    const type = TABLE_TYPES[element];
    if (type === undefined) throw new TypeError(`${what}: Descriptor property 'element' must be a WebAssembly reference type`);
    const min = minimum(descriptor, what);
    const max = limit(descriptor, "maximum", what, false);
    if (max < min) throw new RangeError(`${what}: Property 'maximum' is below 'initial'`);
    const keep = newKeep();
    const initial = reference(keep, type, type === FUNCREF && value === undefined ? null : value);
    this.#type = type;
    this.#max = max;
    this.#keep = keep;
    this.#handle = perform(action(NEW_TABLE).u8(type).u32(min).u8(max === undefined ? 0 : 1).u32(max ?? 0).f64(initial)).f64();
    registerKeep(keep, this.#handle);
    setWrapper(keep, this.#handle, this);
  }

  get length() {
    return perform(action(TABLE_SIZE).f64(this.#handle)).u32();
  }

  type() {
    return limits({ element: this.#type === FUNCREF ? "funcref" : "externref", minimum: perform(action(TABLE_SIZE).f64(this.#handle)).u32() }, this.#max);
  }

  get(index) {
    this.#keep;
    requireArguments(arguments.length, 1, "WebAssembly.Table.get");
    const id = perform(action(TABLE_GET).f64(this.#handle).u32(u32(index, "WebAssembly.Table.get(): Argument 0"))).f64();
    if (id === 0) return null;
    return this.#type === FUNCREF ? fromFunction(id) : externs[id];
  }

  set(index, value = undefined) {
    this.#keep;
    requireArguments(arguments.length, 1, "WebAssembly.Table.set");
    const at = u32(index, "WebAssembly.Table.set(): Argument 0");
    perform(action(TABLE_SET).f64(this.#handle).u32(at).f64(this.#reference(arguments.length < 2, value)));
  }

  grow(delta, value = undefined) {
    this.#keep;
    requireArguments(arguments.length, 1, "WebAssembly.Table.grow");
    const n = u32(delta, "WebAssembly.Table.grow(): Argument 0");
    return perform(action(TABLE_GROW).f64(this.#handle).u32(n).f64(this.#reference(arguments.length < 2, value))).u32();
  }

  #reference(missing, value) {
    return reference(this.#keep, this.#type, missing && this.#type === FUNCREF ? null : value);
  }

  static handle(value) { return value !== null && typeof value === "object" && #keep in value ? value.#handle : undefined; }
  static keep(value) { return value.#keep; }
}

// Global.

class Global {
  #keep;
  #handle;
  #type;
  #mutable;

  constructor(descriptor, v = undefined) {
    if (given.keep !== undefined) {
      this.#keep = given.keep;
      this.#handle = given.handle;
      this.#type = given.type.type;
      this.#mutable = !!given.type.mutable;
      return;
    }
    const what = "WebAssembly.Global()";
    requireArguments(arguments.length, 1, "WebAssembly.Global");
    descriptorOf(descriptor, what);
    const mutable = !!descriptor.mutable;
    const { value } = descriptor;
    if (value === undefined) throw new TypeError(`${what}: Descriptor property 'value' is required`);
    const type = TYPES[`${value}`];
    if (type === undefined || type === V128) throw new TypeError(`${what}: Descriptor property 'value' must be a WebAssembly type`);
    let initial = v;
    if (v === undefined) {
      if (type === I64) initial = 0n;
      else if (type === FUNCREF) initial = null;
      else if (type !== EXTERNREF) initial = 0;
    }
    const keep = newKeep();
    const w = action(NEW_GLOBAL).u8(type).u8(mutable ? 1 : 0);
    raw(w, wasmValue(keep, type, initial));
    this.#keep = keep;
    this.#type = type;
    this.#mutable = mutable;
    this.#handle = perform(w).f64();
    registerKeep(keep, this.#handle);
    setWrapper(keep, this.#handle, this);
  }

  get value() {
    return this.#get();
  }

  set value(v) {
    this.#keep;
    if (arguments.length === 0) throw new TypeError("set WebAssembly.Global.value: Argument 0 is required");
    if (!this.#mutable) throw new TypeError("set WebAssembly.Global.value: Can't set the value of an immutable global.");
    if (this.#type === V128) throw new TypeError("set WebAssembly.Global.value: Can't set the value of a v128 global");
    const w = action(GLOBAL_SET).f64(this.#handle);
    raw(w, wasmValue(this.#keep, this.#type, v));
    perform(w);
  }

  valueOf() {
    return this.#get();
  }

  type() {
    return { mutable: this.#mutable, value: TYPE_NAMES[this.#type] };
  }

  #get() {
    if (this.#type === V128) throw new TypeError("get WebAssembly.Global.value: Can't get the value of a v128 global");
    return wasmNumber(this.#type, wasmPerform(WASM_OBJECT, action(GLOBAL_GET).f64(this.#handle).done()));
  }

  static handle(value) { return value !== null && typeof value === "object" && #keep in value ? value.#handle : undefined; }
  static keep(value) { return value.#keep; }
}

const { handle: memoryHandle, keep: memoryKeep } = Memory;
const { handle: tableHandle, keep: tableKeep } = Table;
const { handle: globalHandle, keep: globalKeep } = Global;
for (const constructor of [Memory, Table, Global]) {
  delete constructor.handle;
  delete constructor.keep;
}

// existing makes the object of something that there is.
function existing(constructor, keep, handle, id, type) {
  given.keep = keep;
  given.handle = handle;
  given.id = id;
  given.type = type;
  try {
    return setWrapper(keep, handle, new constructor());
  } finally {
    given.keep = undefined;
  }
}
// The namespace.

// both is a WebAssemblyInstantiatedSource.
function both(record, importObject) {
  return { module: moduleOf(record), instance: instanceOf(instantiate(record, resolve(record, importObject))) };
}

const methods = {
  validate(bytes) {
    requireArguments(arguments.length, 1, "WebAssembly.validate");
    const copy = sourceBytes(bytes, "WebAssembly.validate()");
    try {
      compile(copy);
      return true;
    } catch (error) {
      if (error instanceof CompileError) return false;
      throw error;
    }
  },

  compile(bytes) {
    try {
      requireArguments(arguments.length, 1, "WebAssembly.compile");
      const copy = sourceBytes(bytes, "WebAssembly.compile()");
      return promiseThen(PromiseResolve(undefined), () => moduleOf(compile(copy)));
    } catch (error) {
      return PromiseReject(error);
    }
  },

  instantiate(source, importObject = undefined) {
    try {
      requireArguments(arguments.length, 1, "WebAssembly.instantiate");
      const record = moduleRecord(source);
      if (record !== undefined) {
        const values = resolve(record, importObject);
        return promiseThen(PromiseResolve(undefined), () => instanceOf(instantiate(record, values)));
      }
      const bytes = sourceBytes(source, "WebAssembly.instantiate()");
      if (importObject !== undefined && (importObject === null || typeof importObject !== "object" && typeof importObject !== "function")) {
        throw new TypeError("WebAssembly.instantiate(): Argument 1 must be an object");
      }
      return promiseThen(PromiseResolve(undefined), () => both(compile(bytes), importObject));
    } catch (error) {
      return PromiseReject(error);
    }
  },

  compileStreaming(source) {
    try {
      requireArguments(arguments.length, 1, "WebAssembly.compileStreaming");
      return promiseThen(responseBytes(source, "WebAssembly.compileStreaming()"), (bytes) => moduleOf(compile(bytes)));
    } catch (error) {
      return PromiseReject(error);
    }
  },

  instantiateStreaming(source, importObject = undefined) {
    try {
      requireArguments(arguments.length, 1, "WebAssembly.instantiateStreaming");
      if (importObject !== undefined && (importObject === null || typeof importObject !== "object" && typeof importObject !== "function")) {
        throw new TypeError("WebAssembly.instantiateStreaming(): Argument 1 must be an object");
      }
      return promiseThen(responseBytes(source, "WebAssembly.instantiateStreaming()"), (bytes) => both(compile(bytes), importObject));
    } catch (error) {
      return PromiseReject(error);
    }
  },
};

for (const constructor of [Module, Instance, Memory, Table, Global, Tag, Exception]) {
  defineInterface(constructor);
  ObjectDefineProperty(constructor.prototype, SymbolToStringTag, { __proto__: null, value: `WebAssembly.${constructor.name}`, configurable: true });
}

const WebAssembly = {};
ObjectDefineProperty(WebAssembly, SymbolToStringTag, { __proto__: null, value: "WebAssembly", configurable: true });
for (const name of Object.keys(methods)) {
  ObjectDefineProperty(WebAssembly, name, { __proto__: null, value: methods[name], writable: true, enumerable: true, configurable: true });
}
for (const constructor of [Module, Instance, Memory, Table, Global, Tag, Exception, CompileError, LinkError, RuntimeError]) {
  ObjectDefineProperty(WebAssembly, constructor.name, { __proto__: null, value: constructor, writable: true, configurable: true });
}
expose({ WebAssembly });
