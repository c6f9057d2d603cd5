// Deep equality, as node's util.isDeepStrictEqual and assert have it.
import { Map, Object, Set, Uint8Array } from "mayfly:intrinsics";
import * as types from "mayfly:types";
import native from "mayfly:native";

const is = Object.is;
const hasOwn = Object.hasOwn;
const tag = (v) => Object.prototype.toString.call(v);

export const isDeepStrictEqual = (a, b) => equal(a, b, true, undefined);
export const isDeepEqual = (a, b) => equal(a, b, false, undefined);

function equal(a, b, strict, seen) {
  if (a === b) return a !== 0 || !strict || is(a, b);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    if (strict) return is(a, b);
    if ((typeof a === "object" && a !== null) || (typeof b === "object" && b !== null)) return false;
    if (typeof a === "function" || typeof b === "function") return false;
    return a == b || (a !== a && b !== b); // eslint-disable-line eqeqeq
  }
  if (strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (tag(a) !== tag(b)) return false;
  const kind = native.className(a);
  if (kind !== native.className(b)) return false;
  switch (kind) {
    case "Array":
      if (a.length !== b.length) return false;
      break;
    case "Date":
      if (!is(+a, +b)) return false;
      break;
    case "RegExp":
      if (a.source !== b.source || a.flags !== b.flags || a.lastIndex !== b.lastIndex) return false;
      break;
    case "Error":
      if (a.message !== b.message || a.name !== b.name) return false;
      if (!equal(a.cause, b.cause, strict, seen) || !equal(a.errors, b.errors, strict, seen)) return false;
      break;
    case "Number": case "String": case "Boolean": case "BigInt": case "Symbol":
      if (!is(a.valueOf(), b.valueOf())) return false;
      break;
    case "ArrayBuffer":
      if (!sameBytes(new Uint8Array(a), new Uint8Array(b))) return false;
      break;
    case "DataView":
      if (!sameBytes(view(a), view(b))) return false;
      break;
    case "WeakMap": case "WeakSet": case "Promise": case "WeakRef":
      return false;
    default:
      if (types.isTypedArray(a)) {
        if (a.length !== b.length) return false;
        for (let i = 0; i < a.length; i++) {
          if (strict ? !is(a[i], b[i]) : a[i] !== b[i] && (a[i] === a[i] || b[i] === b[i])) return false;
        }
      }
  }
  if (seen === undefined) {
    seen = new Map();
  } else {
    const other = seen.get(a);
    if (other !== undefined) return other === b;
  }
  seen.set(a, b);
  const result = sameParts(a, b, kind, strict, seen);
  seen.delete(a);
  return result;
}

const view = (v) => new Uint8Array(v.buffer, v.byteOffset, v.byteLength);

function sameBytes(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function sameParts(a, b, kind, strict, seen) {
  const indexed = types.isTypedArray(a);
  const keysA = indexed ? native.ownNonIndexKeys(a, true).filter((k) => typeof k === "string") : Object.keys(a);
  const keysB = indexed ? native.ownNonIndexKeys(b, true).filter((k) => typeof k === "string") : Object.keys(b);
  if (keysA.length !== keysB.length) return false;
  for (const key of keysA) if (!hasOwn(b, key) || !Object.prototype.propertyIsEnumerable.call(b, key)) return false;
  if (strict) {
    const symbolsA = Object.getOwnPropertySymbols(a).filter((s) => Object.prototype.propertyIsEnumerable.call(a, s));
    const symbolsB = Object.getOwnPropertySymbols(b).filter((s) => Object.prototype.propertyIsEnumerable.call(b, s));
    if (symbolsA.length !== symbolsB.length) return false;
    for (const key of symbolsA) {
      if (!Object.prototype.propertyIsEnumerable.call(b, key)) return false;
      if (!equal(a[key], b[key], strict, seen)) return false;
    }
  }
  if (kind === "Set" && !sameSet(a, b, strict, seen)) return false;
  if (kind === "Map" && !sameMap(a, b, strict, seen)) return false;
  for (const key of keysA) if (!equal(a[key], b[key], strict, seen)) return false;
  return true;
}

// Members that are not the same value are looked for among the other set's.
function sameSet(a, b, strict, seen) {
  if (a.size !== b.size) return false;
  const left = new Set();
  for (const member of b) if (!a.has(member)) left.add(member);
  for (const member of a) {
    if (b.has(member)) continue;
    if (strict && (typeof member !== "object" || member === null)) return false;
    let found = false;
    for (const candidate of left) {
      if (!equal(member, candidate, strict, seen)) continue;
      left.delete(candidate);
      found = true;
      break;
    }
    if (!found) return false;
  }
  return true;
}

function sameMap(a, b, strict, seen) {
  if (a.size !== b.size) return false;
  const left = new Map();
  for (const [key, value] of b) if (!a.has(key)) left.set(key, value);
  for (const [key, value] of a) {
    if (b.has(key)) {
      if (!equal(value, b.get(key), strict, seen)) return false;
      continue;
    }
    if (strict && (typeof key !== "object" || key === null)) return false;
    let found = false;
    for (const [candidate, other] of left) {
      if (!equal(key, candidate, strict, seen) || !equal(value, other, strict, seen)) continue;
      left.delete(candidate);
      found = true;
      break;
    }
    if (!found) return false;
  }
  return true;
}
