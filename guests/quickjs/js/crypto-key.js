// CryptoKey (Web Crypto, section 13). The key itself is in a private field as
// bytes, in the form that host/crypto has for its kind.
import { TypeError } from "mayfly:intrinsics";
import { brands } from "mayfly:key-brands";
import { customInspect } from "mayfly:inspect";
import { defineInterface, expose } from "mayfly:interface";
import { ArrayPrototypePush, ArrayPrototypeSlice, ObjectDefineProperty, bytesCopy } from "mayfly:primordials";

let internal = false;
let slotsOf;
let has;

export class CryptoKey {
  #slots;
  #algorithm; // the object that programs see, and may change
  #usages;

  constructor(slots = undefined) {
    if (!internal) throw new TypeError("Illegal constructor");
    this.#slots = slots;
  }

  get type() { return this.#slots.type; }
  get extractable() { return this.#slots.extractable; }
  get algorithm() { return this.#algorithm ??= shownAlgorithm(this.#slots.algorithm); }
  get usages() { return this.#usages ??= ArrayPrototypeSlice(this.#slots.usages); }

  static {
    slotsOf = (key) => key.#slots;
    has = (value) => typeof value === "object" && value !== null && #slots in value;
  }
}
defineInterface(CryptoKey);
expose({ CryptoKey });

// makeKey makes a key of slots: type, extractable, algorithm (name and what
// else belongs to it, without a prototype), usages, kind, material.
export function makeKey(slots) {
  internal = true;
  try {
    return new CryptoKey(slots);
  } finally {
    internal = false;
  }
}

export const isCryptoKey = has;
brands.isCryptoKey = has;

// keyOf answers an argument's slots.
export function keyOf(value, what) {
  if (!has(value)) throw new TypeError(`${what} is not a CryptoKey`);
  return slotsOf(value);
}

// cloneKey is what structuredClone makes of a key: its slots never change.
export const cloneKey = (key) => makeKey(slotsOf(key));

function shownAlgorithm(algorithm) {
  const shown = {};
  for (const name in algorithm) {
    let value = algorithm[name];
    if (name === "hash") value = { name: value };
    else if (name === "publicExponent") value = bytesCopy(value);
    ObjectDefineProperty(shown, name, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
  }
  return shown;
}

const USAGES = ["encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey"];

// orderedUsages answers those usages of a list that are allowed, once each.
export function orderedUsages(usages, allowed = USAGES) {
  const result = [];
  for (let i = 0; i < USAGES.length; i++) {
    if (contains(usages, USAGES[i]) && contains(allowed, USAGES[i])) ArrayPrototypePush(result, USAGES[i]);
  }
  return result;
}

export const isUsage = (value) => contains(USAGES, value);

export function contains(list, value) {
  for (let i = 0; i < list.length; i++) if (list[i] === value) return true;
  return false;
}

ObjectDefineProperty(CryptoKey.prototype, customInspect, {
  __proto__: null, configurable: true, writable: true, enumerable: false,
  value: function inspectKey(depth, options, inspect) {
    if (depth < 0 || !has(this)) return "[CryptoKey]";
    const { type, extractable, algorithm, usages } = slotsOf(this);
    return `CryptoKey ${inspect({ type, extractable, algorithm: shownAlgorithm(algorithm), usages }, { ...options, depth: options.depth === null ? null : options.depth - 1 })}`;
  },
});
