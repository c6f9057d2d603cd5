// node:util, what programs use of it most. Missing on purpose: parseArgs,
// styleText, debuglog's switches, getSystemErrorName, MIMEType.
import { Error, Object, Promise, Reflect, Set, Symbol } from "mayfly:intrinsics";
import { format, formatWithOptions, inspect, stripVTControlCharacters } from "mayfly:inspect";
import { invalidArgType, systemErrors } from "mayfly:node-errors";
import { writeText } from "mayfly:console";
import * as types from "mayfly:types";
import { isDeepStrictEqual } from "mayfly:equality";

const { TextDecoder, TextEncoder, queueMicrotask } = globalThis;

const customPromisify = Symbol.for("nodejs.util.promisify.custom");

function promisify(original) {
  if (typeof original !== "function") throw invalidArgType("original", "of type function", original);
  const custom = original[customPromisify];
  if (custom) {
    if (typeof custom !== "function") throw invalidArgType("util.promisify.custom", "of type function", custom);
    return Object.defineProperty(custom, customPromisify, { value: custom, enumerable: false, writable: false, configurable: true });
  }
  function fn(...args) {
    return new Promise((resolve, reject) => {
      original.call(this, ...args, (error, ...values) => (error ? reject(error) : resolve(values[0])));
    });
  }
  Object.setPrototypeOf(fn, Object.getPrototypeOf(original));
  Object.defineProperty(fn, customPromisify, { value: fn, enumerable: false, writable: false, configurable: true });
  return Object.defineProperties(fn, Object.getOwnPropertyDescriptors(original));
}
promisify.custom = customPromisify;

function callbackify(original) {
  if (typeof original !== "function") throw invalidArgType("original", "of type function", original);
  function callbackified(...args) {
    const callback = args.pop();
    if (typeof callback !== "function") throw invalidArgType("last argument", "of type function", callback);
    original.apply(this, args).then(
      (value) => queueMicrotask(() => callback.call(this, null, value)),
      (reason) => {
        if (!reason) {
          const error = new Error("Promise was rejected with a falsy value");
          error.code = "ERR_FALSY_VALUE_REJECTION";
          error.reason = reason;
          reason = error;
        }
        queueMicrotask(() => callback.call(this, reason));
      });
  }
  const descriptors = Object.getOwnPropertyDescriptors(original);
  if (typeof descriptors.length.value === "number") descriptors.length.value++;
  if (typeof descriptors.name.value === "string") descriptors.name.value += "Callbackified";
  return Object.defineProperties(callbackified, descriptors);
}

function inherits(constructor, base) {
  if (typeof constructor !== "function") throw invalidArgType("ctor", "of type function", constructor);
  if (typeof base !== "function") throw invalidArgType("superCtor", "of type function", base);
  if (base.prototype === undefined) throw invalidArgType("superCtor.prototype", "of type object", base.prototype);
  Object.defineProperty(constructor, "super_", { value: base, writable: true, configurable: true });
  Object.setPrototypeOf(constructor.prototype, base.prototype);
}

const warned = new Set();
function deprecate(fn, message, code) {
  let said = false;
  return function (...args) {
    if (!said) {
      said = true;
      if (code === undefined || !warned.has(code)) {
        warned.add(code);
        writeText(2, `(mayfly) ${code === undefined ? "" : `[${code}] `}DeprecationWarning: ${message}\n`);
      }
    }
    return new.target ? Reflect.construct(fn, args, new.target) : fn.apply(this, args);
  };
}

const debuglog = () => Object.assign(() => {}, { enabled: false });

function getSystemErrorName(number) {
  for (const code of Object.keys(systemErrors)) if (systemErrors[code][0] === -number) return code;
  return `Unknown system error ${number}`;
}

function toUSVString(value) {
  return `${value}`.toWellFormed();
}

function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

const { isArray } = globalThis.Array;
export const util = {
  aborted, callbackify, debug: debuglog, debuglog, deprecate, format, formatWithOptions, getSystemErrorName, inherits, inspect, isArray, isDeepStrictEqual,
  promisify, stripVTControlCharacters, toUSVString, types, TextDecoder, TextEncoder,
};
