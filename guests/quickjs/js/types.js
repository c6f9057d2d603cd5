// Tests of what a value is inside the engine, whatever its prototype and its
// properties say: the predicates of node's util.types.
import native from "mayfly:native";
import { brands } from "mayfly:key-brands";
import { ArrayBufferIsView, TypedArrayPrototypeGetTag } from "mayfly:primordials";

// classOf answers the engine's name of an object's class; undefined for others.
const { className: classOf, functionKind } = native;

const is = (name) => (v) => classOf(v) === name;

export const isArgumentsObject = is("Arguments");
export const isArrayBuffer = is("ArrayBuffer");
export const isSharedArrayBuffer = is("SharedArrayBuffer");
export const isAnyArrayBuffer = (v) => { const c = classOf(v); return c === "ArrayBuffer" || c === "SharedArrayBuffer"; };
export const isArrayBufferView = ArrayBufferIsView;
export const isDataView = is("DataView");
export const isTypedArray = (v) => TypedArrayPrototypeGetTag(v) !== undefined;
export const isUint8Array = (v) => TypedArrayPrototypeGetTag(v) === "Uint8Array";
export const isUint8ClampedArray = (v) => TypedArrayPrototypeGetTag(v) === "Uint8ClampedArray";
export const isUint16Array = (v) => TypedArrayPrototypeGetTag(v) === "Uint16Array";
export const isUint32Array = (v) => TypedArrayPrototypeGetTag(v) === "Uint32Array";
export const isInt8Array = (v) => TypedArrayPrototypeGetTag(v) === "Int8Array";
export const isInt16Array = (v) => TypedArrayPrototypeGetTag(v) === "Int16Array";
export const isInt32Array = (v) => TypedArrayPrototypeGetTag(v) === "Int32Array";
export const isFloat16Array = (v) => TypedArrayPrototypeGetTag(v) === "Float16Array";
export const isFloat32Array = (v) => TypedArrayPrototypeGetTag(v) === "Float32Array";
export const isFloat64Array = (v) => TypedArrayPrototypeGetTag(v) === "Float64Array";
export const isBigInt64Array = (v) => TypedArrayPrototypeGetTag(v) === "BigInt64Array";
export const isBigUint64Array = (v) => TypedArrayPrototypeGetTag(v) === "BigUint64Array";
export const isDate = is("Date");
export const isRegExp = is("RegExp");
export const isMap = is("Map");
export const isSet = is("Set");
export const isWeakMap = is("WeakMap");
export const isWeakSet = is("WeakSet");
export const isMapIterator = is("Map Iterator");
export const isSetIterator = is("Set Iterator");
export const isPromise = is("Promise");
export const isNativeError = is("Error");
export const isGeneratorObject = (v) => { const c = classOf(v); return c === "Generator" || c === "AsyncGenerator"; };
export const isModuleNamespaceObject = is("Module");
export const isProxy = (v) => native.proxyDetails(v) !== undefined;
export const isExternal = () => false;
export const isCryptoKey = (v) => brands.isCryptoKey(v);
export const isKeyObject = (v) => brands.isKeyObject(v);
export const isNumberObject = is("Number");
export const isStringObject = is("String");
export const isBooleanObject = is("Boolean");
export const isBigIntObject = is("BigInt");
export const isSymbolObject = is("Symbol");
export const isBoxedPrimitive = (v) => {
  switch (classOf(v)) {
    case "Number": case "String": case "Boolean": case "BigInt": case "Symbol": return true;
  }
  return false;
};
export const isAsyncFunction = (v) => {
  const kind = functionKind(v);
  return kind === "async" || kind === "asyncgenerator";
};
export const isGeneratorFunction = (v) => {
  const kind = functionKind(v);
  return kind === "generator" || kind === "asyncgenerator";
};
