// What Web IDL asks of classes beyond what class syntax gives: members are
// enumerable, prototypes have a tag, interface objects do not enumerate.
import { TypeError } from "mayfly:intrinsics";
import {
  ArrayPrototypePush, FunctionPrototypeCall, ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ReflectOwnKeys, SymbolIterator, SymbolToStringTag,
} from "mayfly:primordials";

function enumerable(object, isClass) {
  const keys = ReflectOwnKeys(object);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    if (typeof key === "symbol" || (isClass ? key === "length" || key === "name" || key === "prototype" : key === "constructor")) continue;
    const descriptor = ObjectGetOwnPropertyDescriptor(object, key);
    if (!descriptor.configurable || descriptor.enumerable) continue;
    descriptor.enumerable = true;
    ObjectDefineProperty(object, key, { __proto__: null, ...descriptor });
  }
}

// defineInterface finishes a class under its public name.
export function defineInterface(constructor, name = constructor.name, constants) {
  const { prototype } = constructor;
  enumerable(prototype, false);
  enumerable(constructor, true);
  ObjectDefineProperty(prototype, SymbolToStringTag, { __proto__: null, value: name, configurable: true });
  for (const key in constants) {
    const constant = { __proto__: null, value: constants[key], enumerable: true };
    ObjectDefineProperty(constructor, key, constant);
    ObjectDefineProperty(prototype, key, constant);
  }
  return constructor;
}

// expose puts a value on the global object as Web IDL has interfaces and as
// node has its own: writable, configurable, not enumerable.
export function expose(values) {
  for (const name of ReflectOwnKeys(values)) {
    ObjectDefineProperty(globalThis, name, { __proto__: null, value: values[name], writable: true, configurable: true, enumerable: false });
  }
}

// exposeOperations does the same for functions, which do enumerate.
export function exposeOperations(values) {
  for (const name of ReflectOwnKeys(values)) {
    ObjectDefineProperty(globalThis, name, { __proto__: null, value: values[name], writable: true, configurable: true, enumerable: true });
  }
}

// dictionary reads the members of an option bag in order. Absent and null bags
// answer an empty one; what is no object is refused.
export function dictionary(value, what) {
  if (value === undefined || value === null) return emptyDictionary;
  if (typeof value !== "object" && typeof value !== "function") throw new TypeError(`${what} must be an object`);
  return value;
}
const emptyDictionary = { __proto__: null };

// sequence converts a value to a list, each item by convert, as Web IDL
// converts sequences: by the iterator, which is asked for once.
export function sequence(value, what, convert) {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) throw new TypeError(`${what} is not iterable`);
  const method = value[SymbolIterator];
  if (typeof method !== "function") throw new TypeError(`${what} is not iterable`);
  const iterator = FunctionPrototypeCall(method, value);
  if (iterator === null || (typeof iterator !== "object" && typeof iterator !== "function")) throw new TypeError(`${what}: its iterator is not an object`);
  const { next } = iterator;
  const list = [];
  for (;;) {
    const result = FunctionPrototypeCall(next, iterator);
    if (result === null || (typeof result !== "object" && typeof result !== "function")) throw new TypeError(`${what}: its iterator gave no object`);
    if (result.done) return list;
    ArrayPrototypePush(list, convert(result.value));
  }
}

// requireArguments fails a call with too few arguments.
export function requireArguments(count, wanted, what) {
  if (count < wanted) throw new TypeError(`${what}: ${wanted} argument${wanted === 1 ? "" : "s"} required, but only ${count} present`);
}

