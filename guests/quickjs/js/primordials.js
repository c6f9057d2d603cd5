// The builtins that the rest of this directory uses, taken before any user
// code has run. Programs may replace every property of every builtin: what
// works on internal state, on host messages or between users' objects must
// call these copies and never look a method up on a prototype.
//
// Rules for code that must hold under pollution:
// - no method calls on builtins, no for-of and no array destructuring over
//   builtins (they look up Symbol.iterator), no spread of arrays;
// - objects read as option bags or tables have a null prototype, and are
//   written by definition (literals), not by assignment to missing keys;
// - promises are made with newPromise and followed with promiseThen.

const { bind, call } = Function.prototype;

// uncurryThis(method) is the function (self, ...args) of a method.
export const uncurryThis = bind.bind(call);

// getter(prototype, name) is the function (self) of an accessor.
export const getter = (proto, name) => uncurryThis(Reflect.getOwnPropertyDescriptor(proto, name).get);

export const {
  apply: ReflectApply, construct: ReflectConstruct, ownKeys: ReflectOwnKeys,
  get: ReflectGet, set: ReflectSet, has: ReflectHas, defineProperty: ReflectDefineProperty, deleteProperty: ReflectDeleteProperty,
} = Reflect;
export const {
  assign: ObjectAssign, create: ObjectCreate, defineProperty: ObjectDefineProperty,
  defineProperties: ObjectDefineProperties, freeze: ObjectFreeze,
  getOwnPropertyDescriptor: ObjectGetOwnPropertyDescriptor,
  getOwnPropertyNames: ObjectGetOwnPropertyNames,
  getPrototypeOf: ObjectGetPrototypeOf, setPrototypeOf: ObjectSetPrototypeOf,
  is: ObjectIs, keys: ObjectKeys, hasOwn: ObjectHasOwn,
} = Object;

export const ArrayIsArray = Array.isArray;
export const ArrayPrototypePush = uncurryThis(Array.prototype.push);
export const ArrayPrototypeJoin = uncurryThis(Array.prototype.join);
export const ArrayPrototypeSlice = uncurryThis(Array.prototype.slice);
export const ArrayPrototypeSplice = uncurryThis(Array.prototype.splice);
export const ArrayPrototypeShift = uncurryThis(Array.prototype.shift);

export const ErrorCaptureStackTrace = Error.captureStackTrace;
export const FunctionPrototypeCall = uncurryThis(call);
export const JSONStringify = JSON.stringify;
export const JSONParse = JSON.parse;

export const MapPrototypeGet = uncurryThis(Map.prototype.get);
export const MapPrototypeSet = uncurryThis(Map.prototype.set);
export const MapPrototypeHas = uncurryThis(Map.prototype.has);
export const MapPrototypeDelete = uncurryThis(Map.prototype.delete);
export const MapPrototypeClear = uncurryThis(Map.prototype.clear);
export const MapPrototypeForEach = uncurryThis(Map.prototype.forEach);
export const SetPrototypeAdd = uncurryThis(Set.prototype.add);
export const SetPrototypeHas = uncurryThis(Set.prototype.has);
export const SetPrototypeDelete = uncurryThis(Set.prototype.delete);
export const SetPrototypeForEach = uncurryThis(Set.prototype.forEach);
export const FinalizationRegistryPrototypeRegister = uncurryThis(FinalizationRegistry.prototype.register);
export const WeakRefPrototypeDeref = uncurryThis(WeakRef.prototype.deref);
export const WeakMapPrototypeGet = uncurryThis(WeakMap.prototype.get);
export const WeakMapPrototypeSet = uncurryThis(WeakMap.prototype.set);

export const { floor: MathFloor, trunc: MathTrunc, min: MathMin, max: MathMax } = Math;
export const { isInteger: NumberIsInteger, isFinite: NumberIsFinite, isSafeInteger: NumberIsSafeInteger } = Number;
export const NumberPrototypeToString = uncurryThis(Number.prototype.toString);
export const NumberPrototypeToFixed = uncurryThis(Number.prototype.toFixed);

export const StringFromCharCode = String.fromCharCode;
export const StringPrototypeCharCodeAt = uncurryThis(String.prototype.charCodeAt);
export const StringPrototypeEndsWith = uncurryThis(String.prototype.endsWith);
export const StringPrototypeIncludes = uncurryThis(String.prototype.includes);
export const StringPrototypeIndexOf = uncurryThis(String.prototype.indexOf);
export const StringPrototypeLastIndexOf = uncurryThis(String.prototype.lastIndexOf);
export const StringPrototypeRepeat = uncurryThis(String.prototype.repeat);
export const StringPrototypeReplaceAll = uncurryThis(String.prototype.replaceAll);
export const StringPrototypeSlice = uncurryThis(String.prototype.slice);
export const StringPrototypeStartsWith = uncurryThis(String.prototype.startsWith);
export const StringPrototypeToLowerCase = uncurryThis(String.prototype.toLowerCase);
export const StringPrototypeToUpperCase = uncurryThis(String.prototype.toUpperCase);
export const StringPrototypeToWellFormed = uncurryThis(String.prototype.toWellFormed);
export const StringPrototypeTrim = uncurryThis(String.prototype.trim);
export const StringPrototypePadEnd = uncurryThis(String.prototype.padEnd);

const TypedArrayPrototype = ObjectGetPrototypeOf(Uint8Array.prototype);
export const TypedArrayPrototypeSet = uncurryThis(TypedArrayPrototype.set);
export const TypedArrayPrototypeGetBuffer = getter(TypedArrayPrototype, "buffer");
export const TypedArrayPrototypeGetByteLength = getter(TypedArrayPrototype, "byteLength");
export const TypedArrayPrototypeGetByteOffset = getter(TypedArrayPrototype, "byteOffset");
export const TypedArrayPrototypeGetLength = getter(TypedArrayPrototype, "length");
// TypedArrayPrototypeGetTag answers the class name of a typed array, else undefined.
export const TypedArrayPrototypeGetTag = getter(TypedArrayPrototype, Symbol.toStringTag);
export const DataViewPrototypeGetBuffer = getter(DataView.prototype, "buffer");
export const DataViewPrototypeGetByteLength = getter(DataView.prototype, "byteLength");
export const DataViewPrototypeGetByteOffset = getter(DataView.prototype, "byteOffset");
export const ArrayBufferPrototypeGetByteLength = getter(ArrayBuffer.prototype, "byteLength");
export const ArrayBufferIsView = ArrayBuffer.isView;
export const DatePrototypeGetTime = uncurryThis(Date.prototype.getTime);
export const DatePrototypeToUTCString = uncurryThis(Date.prototype.toUTCString);
export const { now: DateNow, parse: DateParse } = Date;

export const SymbolIterator = Symbol.iterator;
export const SymbolToStringTag = Symbol.toStringTag;

const IntrinsicPromise = Promise;
const then = uncurryThis(Promise.prototype.then);
const resolvePromise = Promise.resolve.bind(Promise);
const rejectPromise = Promise.reject.bind(Promise);

// newPromise makes an intrinsic promise whose own constructor property keeps
// then() and await from asking Promise.prototype.constructor.
export function newPromise(executor) {
  return new IntrinsicPromise(executor);
}
export const PromiseResolve = resolvePromise;
export const PromiseReject = rejectPromise;
export const promiseThen = then;

// subarray and slice without the species lookup of the builtin methods.
const IntrinsicUint8Array = Uint8Array;
export function bytesSubarray(bytes, from, to) {
  return new IntrinsicUint8Array(TypedArrayPrototypeGetBuffer(bytes), TypedArrayPrototypeGetByteOffset(bytes) + from, to - from);
}
export function bytesCopy(bytes) {
  const copy = new IntrinsicUint8Array(TypedArrayPrototypeGetByteLength(bytes));
  TypedArrayPrototypeSet(copy, bytes);
  return copy;
}
