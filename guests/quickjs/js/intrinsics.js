// The constructors that the rest of this directory uses at run time, by the
// names that they have: a program may replace the global ones.
export const {
  AggregateError, Array, ArrayBuffer, BigInt, DataView, Date, DOMException, Error, FinalizationRegistry, Function, Map, Math, Number, Object, Promise, Proxy, RangeError, Reflect, RegExp,
  Set, String, Symbol, SyntaxError, TypeError, Uint8Array, WeakMap, WeakRef,
} = globalThis;
