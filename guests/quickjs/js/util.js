// node:util. parseArgs is of the package @pkgjs/parseargs (MIT: node's own).
import { Error, Map, Object, Promise, Reflect, RegExp, Set, Symbol, TypeError } from "mayfly:intrinsics";
import { format, formatWithOptions, inspect, stripVTControlCharacters } from "mayfly:inspect";
import { evaluatePackage } from "mayfly:commonjs";
import { process } from "mayfly:process";
import { coded, invalidArgType, invalidArgValue, systemErrors } from "mayfly:node-errors";
import { writeText } from "mayfly:console";
import * as types from "mayfly:types";
import { isDeepStrictEqual } from "mayfly:equality";

const { TextDecoder, TextEncoder } = globalThis;

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
      (value) => process.nextTick(() => callback.call(this, null, value)),
      (reason) => {
        if (!reason) {
          const error = new Error("Promise was rejected with a falsy value");
          error.code = "ERR_FALSY_VALUE_REJECTION";
          error.reason = reason;
          reason = error;
        }
        process.nextTick(() => callback.call(this, reason));
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

// debuglog is switched on by section in NODE_DEBUG, with asterisks.
function debuglog(section, callback = undefined) {
  const name = `${section}`.toUpperCase();
  let enabled;
  const isEnabled = () => {
    enabled ??= `${process.env.NODE_DEBUG ?? ""}`.toUpperCase().split(",").some((pattern) =>
      pattern !== "" && new RegExp(`^${pattern.replace(/[|\\{}()[\]^$+?.]/g, "\\$&").replace(/\*/g, ".*")}$`).test(name));
    return enabled;
  };
  const log = (...args) => {
    if (isEnabled()) writeText(2, `${name} ${process.pid}: ${format(...args)}\n`);
  };
  callback?.(log);
  return Object.defineProperty(log, "enabled", { get: isEnabled, configurable: true, enumerable: true });
}

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

export const getSystemErrorMap = () => new Map(Object.keys(systemErrors).map((code) => [-systemErrors[code][0], [code, systemErrors[code][1]]]));
const getSystemErrorMessage = (number) => getSystemErrorMap().get(number)?.[1] ?? `Unknown system error ${number}`;

// styleText puts the escapes of styles around a text, as nested as they are given.
function styleText(styles, text, options = undefined) {
  if (typeof text !== "string") throw invalidArgType("text", "of type string", text);
  const list = isArray(styles) ? styles : [styles];
  let before = "";
  let after = "";
  for (const style of list) {
    if (style === "none") continue;
    const codes = Object.hasOwn(inspect.colors, style) ? inspect.colors[style] : undefined;
    if (codes === undefined) throw invalidArgValue("format", style, `must be one of: ${Object.keys(inspect.colors).map((c) => `'${c}'`).join(", ")}`);
    before += `\x1b[${codes[0]}m`;
    after = `\x1b[${codes[1]}m${after}`;
  }
  // The default is to ask a terminal, of which there is none.
  return options?.validateStream === false ? before + text + after : text;
}

const _extend = (target, source) => Object.assign(target, source);
const parseEnv = (text) => {
  const values = {};
  for (const match of `${text}`.matchAll(/^\s*(?:export\s+)?([\w.-]+)\s*=[^\S\n]*('[^']*'|"[^"]*"|`[^`]*`|[^#\n]*)?/gm)) {
    let value = (match[2] ?? "").trim();
    const quote = value[0];
    if (value.length > 1 && (quote === "'" || quote === '"' || quote === "`") && value.endsWith(quote)) value = value.slice(1, -1);
    if (quote === '"') value = value.replaceAll("\\n", "\n");
    values[match[1]] = value;
  }
  return values;
};
const getCallSites = (frames = 8) => `${new Error().stack}`.split("\n").slice(1, frames + 1).map((line) => {
  const match = /^\s*at (?:(.*?) \()?(.*?)(?::(\d+))?(?::(\d+))?\)?$/.exec(line) ?? [];
  return { functionName: match[1] ?? "", scriptName: match[2] ?? "", scriptId: "0", lineNumber: Number(match[3] ?? 0), columnNumber: Number(match[4] ?? 0), column: Number(match[4] ?? 0) };
});

// ---- MIME types, after the MIME Sniffing standard (§4)

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;
const invalidMIME = (text) => coded(new TypeError(`The MIME syntax for a type in "${text}" is invalid`), "ERR_INVALID_MIME_SYNTAX");

export class MIMEParams {
  #values = new Map();
  get(name) { return this.#values.get(`${name}`) ?? null; }
  has(name) { return this.#values.has(`${name}`); }
  set(name, value) {
    if (!TOKEN.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) throw coded(new TypeError(`The MIME syntax for a parameter in "${name}" is invalid`), "ERR_INVALID_MIME_SYNTAX");
    this.#values.set(`${name}`, `${value}`);
  }
  delete(name) { this.#values.delete(`${name}`); }
  entries() { return this.#values.entries(); }
  keys() { return this.#values.keys(); }
  values() { return this.#values.values(); }
  [Symbol.iterator]() { return this.#values.entries(); }
  toString() {
    return [...this.#values].map(([name, value]) => `${name}=${TOKEN.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`}`).join(";");
  }
  toJSON() { return this.toString(); }
}

export class MIMEType {
  #type;
  #subtype;
  #params = new MIMEParams();
  constructor(text) {
    const match = /^[\t\n\r ]*([^/]*)\/([^;]*?)[\t\n\r ]*(?:;([^]*))?$/.exec(`${text}`);
    if (match === null || !TOKEN.test(match[1]) || !TOKEN.test(match[2])) throw invalidMIME(text);
    this.#type = match[1].toLowerCase();
    this.#subtype = match[2].toLowerCase();
    for (const [, name, quoted, plain] of (match[3] ?? "").matchAll(/[\t\n\r ]*([^;=]*)(?:=(?:"((?:[^"\\]|\\[^])*)"?[^;]*|([^;]*)))?(?:;|$)/g)) {
      const value = quoted === undefined ? plain?.trimEnd() : quoted.replace(/\\([^])/g, "$1");
      if (name !== "" && value && TOKEN.test(name) && !this.#params.has(name.toLowerCase())) this.#params.set(name.toLowerCase(), value);
    }
  }
  get type() { return this.#type; }
  set type(v) {
    if (!TOKEN.test(v)) throw invalidMIME(v);
    this.#type = `${v}`.toLowerCase();
  }
  get subtype() { return this.#subtype; }
  set subtype(v) {
    if (!TOKEN.test(v)) throw invalidMIME(v);
    this.#subtype = `${v}`.toLowerCase();
  }
  get essence() { return `${this.#type}/${this.#subtype}`; }
  get params() { return this.#params; }
  toString() {
    const params = this.#params.toString();
    return params === "" ? this.essence : `${this.essence};${params}`;
  }
  toJSON() { return this.toString(); }
}

const { isArray } = globalThis.Array;
const { parseArgs } = evaluatePackage("mayfly:npm/@pkgjs/parseargs/index.js", { process });
export const util = {
  MIMEParams, MIMEType, _extend, aborted, callbackify, debug: debuglog, debuglog, deprecate, format, formatWithOptions, getCallSites, getSystemErrorMap, getSystemErrorMessage, getSystemErrorName, inherits, inspect, isArray, isDeepStrictEqual,
  parseArgs, parseEnv, promisify, stripVTControlCharacters, styleText, toUSVString, types, TextDecoder, TextEncoder,
};
