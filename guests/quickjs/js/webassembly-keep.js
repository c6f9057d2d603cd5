// What of WebAssembly can be collected, and the references that cross into it
// and out of it. There is a keep for each module, instance, memory, table and
// global that was made. Whatever JavaScript has of it keeps its keep, and keeps
// keep others whose parts they may reach. When a keep is collected, the host
// lets go of what it stands for.
import { FinalizationRegistry, Map, Set, TypeError, WeakMap, WeakRef } from "mayfly:intrinsics";
import native from "mayfly:native";
import {
  ArrayPrototypePush, FinalizationRegistryPrototypeRegister, FunctionPrototypeCall, MapPrototypeDelete, MapPrototypeGet, MapPrototypeHas, MapPrototypeSet,
  ObjectDefineProperty, SetPrototypeAdd, SymbolIterator, WeakMapPrototypeGet, WeakMapPrototypeSet, WeakRefPrototypeDeref,
} from "mayfly:primordials";
import { FUNCREF, FUNCTION_INFO, RELEASE, action, perform } from "mayfly:webassembly-types";

const { wasmForget, wasmFunction, wasmHooks, wasmType } = native;

const keeps = new Map(); // handle of an instance → WeakRef of its keep
const wrappers = new Map(); // handle → WeakRef of what JavaScript has of it
export const exported = new WeakMap(); // function → { handle, keep }

const registry = new FinalizationRegistry(({ handle, imports, wrapped }) => {
  for (let i = 0; i < imports.length; i++) wasmForget(imports[i]);
  for (let i = 0; i < wrapped.length; i++) MapPrototypeDelete(wrappers, wrapped[i]);
  MapPrototypeDelete(keeps, handle);
  perform(action(RELEASE, 9).f64(handle));
});

export function newKeep() {
  return { __proto__: null, strong: new Set(), wrapped: [] };
}

export function registerKeep(keep, handle, imports = []) {
  MapPrototypeSet(keeps, handle, new WeakRef(keep));
  FinalizationRegistryPrototypeRegister(registry, keep, { __proto__: null, handle, imports, wrapped: keep.wrapped });
}

export function wrapperOf(handle) {
  const reference = MapPrototypeGet(wrappers, handle);
  return reference === undefined ? undefined : WeakRefPrototypeDeref(reference);
}

export function setWrapper(keep, handle, wrapper) {
  if (!MapPrototypeHas(wrappers, handle)) ArrayPrototypePush(keep.wrapped, handle);
  MapPrototypeSet(wrappers, handle, new WeakRef(wrapper));
  return wrapper;
}

// link has two keeps keep each other: each may have references of the other.
export function link(a, b) {
  if (a === b) return;
  SetPrototypeAdd(a.strong, b);
  SetPrototypeAdd(b.strong, a);
}

// References.

export const externs = [null];
const externIds = new Map();

export function toExtern(value) {
  if (value === 0 && 1 / value < 0) { // a map takes it for 0
    externs[externs.length] = value;
    return externs.length - 1;
  }
  let id = MapPrototypeGet(externIds, value);
  if (id === undefined) {
    id = externs.length;
    externs[id] = value;
    MapPrototypeSet(externIds, value, id);
  }
  return id;
}

export function toFunction(keep, value) {
  const record = typeof value === "function" ? WeakMapPrototypeGet(exported, value) : undefined;
  if (record === undefined) throw new TypeError("WebAssembly objects are opaque: only null or an exported WebAssembly function can be a funcref");
  if (keep !== undefined && keep !== record.keep) SetPrototypeAdd(keep.strong, record.keep);
  return record.handle;
}

// reference is a value for a table, as messages have it.
export function reference(keep, type, value) {
  if (value === null) return 0;
  return type === FUNCREF ? toFunction(keep, value) : toExtern(value);
}

export function makeFunction(keep, handle, index, params, results) {
  const f = wasmFunction(keep, handle, wasmType(params, results), `${index}`);
  WeakMapPrototypeSet(exported, f, { __proto__: null, handle, keep });
  return setWrapper(keep, handle, f);
}

export function fromFunction(handle) {
  const known = wrapperOf(handle);
  if (known !== undefined) return known;
  const r = perform(action(FUNCTION_INFO, 9).f64(handle));
  const instance = r.f64();
  const index = r.u32();
  const keep = WeakRefPrototypeDeref(MapPrototypeGet(keeps, instance));
  return makeFunction(keep, handle, index, r.bytes(), r.bytes());
}

// toList takes the values out of an iterable; n of them, if that is given.
export function toList(value, n = undefined) {
  const method = value === undefined || value === null ? undefined : value[SymbolIterator];
  if (typeof method !== "function") throw new TypeError("an iterable is wanted");
  const iterator = FunctionPrototypeCall(method, value);
  const { next } = iterator;
  const list = [];
  for (;;) {
    const step = FunctionPrototypeCall(next, iterator);
    if (step === null || typeof step !== "object" && typeof step !== "function") throw new TypeError("iterator result is not an object");
    if (step.done) break;
    if (list.length === n) {
      const { return: end } = iterator;
      if (end !== undefined && end !== null) FunctionPrototypeCall(end, iterator);
      throw new TypeError(`multi-return length mismatch: more than ${n}`);
    }
    ObjectDefineProperty(list, list.length, { __proto__: null, value: step.value, writable: true, enumerable: true, configurable: true });
  }
  if (n !== undefined && list.length !== n) throw new TypeError(`multi-return length mismatch: ${list.length} instead of ${n}`);
  return list;
}

wasmHooks(toExtern, (id) => externs[id], toFunction, fromFunction, toList);

