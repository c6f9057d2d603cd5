// console: every method of the WHATWG console and of node's, formatted as node
// formats. log, info, debug, dir, table, count, group and the timers write to
// standard output; warn, error, trace and assert to standard error. There are
// no colours: neither is a terminal.
import { Map, Math, TypeError, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { call } from "mayfly:host";
import { WRITE } from "mayfly:op.gen";
import { formatWithOptions, inspect, customInspect, getStringWidth } from "mayfly:inspect";
import { isMap, isMapIterator, isSet, isSetIterator, isTypedArray } from "mayfly:types";
import { now } from "mayfly:clock";
import { expose } from "mayfly:interface";
import {
  ArrayIsArray, ArrayPrototypeJoin, ArrayPrototypePush, ErrorCaptureStackTrace, MapPrototypeDelete, MapPrototypeGet, MapPrototypeHas, MapPrototypeSet,
  NumberPrototypeToFixed, ObjectCreate, ObjectDefineProperty, ObjectHasOwn, ObjectKeys, StringPrototypeIncludes, StringPrototypePadEnd, StringPrototypeRepeat,
  StringPrototypeReplaceAll, StringPrototypeSlice, SymbolToStringTag, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeSet,
} from "mayfly:primordials";

export const STDOUT = 1;
export const STDERR = 2;

// writeText writes a string to a stream as UTF-8.
export const { writeText } = native;

// writeBytes writes bytes to a stream.
export function writeBytes(fd, bytes) {
  const n = TypedArrayPrototypeGetByteLength(bytes);
  const message = new Uint8Array(5 + n);
  message[0] = fd;
  message[1] = n;
  message[2] = n >>> 8;
  message[3] = n >>> 16;
  message[4] = n >>> 24;
  TypedArrayPrototypeSet(message, bytes, 5);
  call(WRITE, message);
}

let indentation = "";
const counts = new Map();
const clocks = new Map();

// Levels of a worker's messages, as the operation log has them.
const DEBUG = 0;
const LOG = 1;
const INFO = 2;
const WARN = 3;
const ERROR = 4;

// A worker's messages go to logger(level, text, arguments) in place of streams.
let logger;
export function setLogger(f) { logger = f; }

const indented = (text) => indentation + (StringPrototypeIncludes(text, "\n") ? StringPrototypeReplaceAll(text, "\n", `\n${indentation}`) : text);

function writeLine(level, text, args = undefined) {
  if (indentation !== "") text = indented(text);
  if (logger !== undefined) logger(level, text, args ?? [text]);
  else writeText(level < WARN ? STDOUT : STDERR, text + "\n");
}

const inspectOptions = { __proto__: null };

// Values that show as themselves need no formatter.
function formatArguments(args) {
  const n = args.length;
  if (n === 0) return "";
  const first = args[0];
  let text;
  if (typeof first === "string") {
    if (n > 1 && StringPrototypeIncludes(first, "%")) return formatWithOptions(inspectOptions, ...args);
    text = first;
  } else {
    text = plain(first);
    if (text === undefined) return formatWithOptions(inspectOptions, ...args);
  }
  for (let i = 1; i < n; i++) {
    const arg = args[i];
    const shown = typeof arg === "string" ? arg : plain(arg);
    if (shown === undefined) return formatWithOptions(inspectOptions, ...args);
    text += " " + shown;
  }
  return text;
}

function plain(value) {
  switch (typeof value) {
    case "number": return value === 0 && 1 / value < 0 ? "-0" : `${value}`;
    case "boolean": case "undefined": return `${value}`;
    case "bigint": return `${value}n`;
    default: return value === null ? "null" : undefined;
  }
}

function warning(text) {
  if (logger !== undefined) writeLine(WARN, `Warning: ${text}`);
  else writeText(STDERR, `Warning: ${text}\n`);
}

const methods = {
  log(...args) { writeLine(LOG, formatArguments(args), args); },
  debug(...args) { writeLine(DEBUG, formatArguments(args), args); },
  info(...args) { writeLine(INFO, formatArguments(args), args); },
  warn(...args) { writeLine(WARN, formatArguments(args), args); },
  error(...args) { writeLine(ERROR, formatArguments(args), args); },
  dir(object = undefined, options = undefined) { writeLine(LOG, inspect(object, { customInspect: false, ...inspectOptions, ...options }), [object]); },
  trace: function trace(...args) {
    const error = { __proto__: null };
    ErrorCaptureStackTrace(error, trace);
    const stack = typeof error.stack === "string" ? native.userStack(error.stack) : "";
    const text = formatArguments(args);
    writeLine(ERROR, `Trace${text === "" ? "" : `: ${text}`}${stack === "" ? "" : `\n${stack}`}`);
  },
  assert(condition = undefined, ...args) {
    if (condition) return;
    args[0] = `Assertion failed${args.length === 0 ? "" : `: ${args[0]}`}`;
    writeLine(ERROR, formatArguments(args), args);
  },
  count(label = "default") {
    label = `${label}`;
    const n = (MapPrototypeGet(counts, label) ?? 0) + 1;
    MapPrototypeSet(counts, label, n);
    writeLine(LOG, `${label}: ${n}`);
  },
  countReset(label = "default") {
    label = `${label}`;
    if (!MapPrototypeDelete(counts, label)) warning(`Count for '${label}' does not exist`);
  },
  group(...args) {
    if (args.length > 0) writeLine(LOG, formatArguments(args), args);
    indentation += "  ";
  },
  groupEnd() { indentation = StringPrototypeSlice(indentation, 0, -2); },
  time(label = "default") {
    label = `${label}`;
    if (MapPrototypeHas(clocks, label)) warning(`Label '${label}' already exists for console.time()`);
    else MapPrototypeSet(clocks, label, now());
  },
  timeEnd(label = "default") {
    if (logTime("timeEnd", `${label}`, [])) MapPrototypeDelete(clocks, `${label}`);
  },
  timeLog(label = "default", ...args) { logTime("timeLog", `${label}`, args); },
  table(data = undefined, properties = undefined) {
    if (data === null || typeof data !== "object") {
      writeLine(LOG, formatArguments([data]), [data]);
      return;
    }
    if (properties !== undefined && !ArrayIsArray(properties)) {
      const error = new TypeError(`The "properties" argument must be an instance of Array. Received ${inspect(properties)}`);
      error.code = "ERR_INVALID_ARG_TYPE";
      throw error;
    }
    writeLine(LOG, tableOf(data, properties));
  },
};

function logTime(method, label, args) {
  const begin = MapPrototypeGet(clocks, label);
  if (begin === undefined) {
    warning(`No such label '${label}' for console.${method}()`);
    return false;
  }
  const text = formatArguments(args);
  writeLine(LOG, `${label}: ${duration(now() - begin)}${text === "" ? "" : ` ${text}`}`);
  return true;
}

// As node: the largest unit that is not below one, at most three digits after
// the point.
function duration(ms) {
  if (ms >= 3600000) {
    const minutes = (ms % 3600000) / 60000;
    return `${Math.floor(ms / 3600000)}:${pad(Math.floor(minutes))}:${pad(Math.floor((ms % 60000) / 1000))} (h:mm:ss)`;
  }
  if (ms >= 60000) {
    const seconds = NumberPrototypeToFixed((ms % 60000) / 1000, 3);
    return `${Math.floor(ms / 60000)}:${seconds.length < 6 ? `0${seconds}` : seconds} (m:ss.mmm)`;
  }
  if (ms >= 1000) return `${NumberPrototypeToFixed(ms / 1000, 3)}s`;
  return `${+NumberPrototypeToFixed(ms, 3)}ms`;
}
const pad = (n) => (n < 10 ? `0${n}` : `${n}`);

// ---- tables

const cellOptions = (value) => ({
  __proto__: null, maxArrayLength: 3, breakLength: Infinity,
  depth: value !== null && typeof value === "object" && !ArrayIsArray(value) && ObjectKeys(value).length > 2 ? -1 : 0,
});
const cell = (value) => inspect(value, cellOptions(value));

const INDEX = "(index)";
const ITERATION = "(iteration index)";
const KEY = "Key";
const VALUES = "Values";

function tableOf(data, properties) {
  if (isMap(data) || isMapIterator(data)) {
    const [entries, pairs] = native.previewEntries(data);
    const keys = [];
    const values = [];
    const index = [];
    const step = isMap(data) || pairs ? 2 : 1;
    for (let i = 0; i < entries.length; i += step) {
      ArrayPrototypePush(index, `${i / step}`);
      ArrayPrototypePush(keys, cell(entries[i]));
      if (step === 2) ArrayPrototypePush(values, cell(entries[i + 1]));
    }
    return step === 2 ? draw([ITERATION, KEY, VALUES], [index, keys, values]) : draw([ITERATION, VALUES], [index, keys]);
  }
  if (isSet(data) || isSetIterator(data)) {
    const [entries] = native.previewEntries(data);
    const values = [];
    const index = [];
    for (let i = 0; i < entries.length; i++) {
      ArrayPrototypePush(index, `${i}`);
      ArrayPrototypePush(values, cell(entries[i]));
    }
    return draw([ITERATION, VALUES], [index, values]);
  }
  const names = [];
  const columns = new Map();
  const values = [];
  let hasValues = false;
  const index = ObjectKeys(data);
  for (let i = 0; i < index.length; i++) {
    const row = data[index[i]];
    const primitive = row === null || (typeof row !== "function" && typeof row !== "object");
    if (primitive) {
      hasValues = true;
      values[i] = cell(row);
      continue;
    }
    const keys = properties ?? ObjectKeys(row);
    for (let k = 0; k < keys.length; k++) {
      const key = keys[k];
      let column = MapPrototypeGet(columns, key);
      if (column === undefined) {
        column = [];
        MapPrototypeSet(columns, key, column);
        ArrayPrototypePush(names, key);
      }
      if (ObjectHasOwn(row, key)) column[i] = cell(row[key]);
    }
  }
  if (properties !== undefined) {
    for (let k = 0; k < properties.length; k++) {
      if (!MapPrototypeHas(columns, properties[k])) {
        MapPrototypeSet(columns, properties[k], []);
        ArrayPrototypePush(names, properties[k]);
      }
    }
  }
  const head = [INDEX];
  const body = [index];
  for (let k = 0; k < names.length; k++) {
    ArrayPrototypePush(head, `${names[k]}`);
    ArrayPrototypePush(body, MapPrototypeGet(columns, names[k]));
  }
  if (hasValues) {
    ArrayPrototypePush(head, VALUES);
    ArrayPrototypePush(body, values);
  }
  return draw(head, body, index.length);
}

function draw(head, columns) {
  const widths = [];
  let rows = 0;
  for (let c = 0; c < columns.length; c++) {
    let width = getStringWidth(head[c]);
    const column = columns[c];
    if (column.length > rows) rows = column.length;
    for (let r = 0; r < column.length; r++) {
      const w = column[r] === undefined ? 0 : getStringWidth(column[r]);
      if (w > width) width = w;
    }
    widths[c] = width + 2;
  }
  const rules = [];
  for (let c = 0; c < widths.length; c++) rules[c] = StringPrototypeRepeat("─", widths[c]);
  const line = (cells) => {
    let text = "│";
    for (let c = 0; c < widths.length; c++) {
      const value = cells[c] ?? "";
      const left = 1;
      text += StringPrototypeRepeat(" ", left) + value + StringPrototypeRepeat(" ", widths[c] - getStringWidth(value) - left) + "│";
    }
    return text + "\n";
  };
  let text = `┌${ArrayPrototypeJoin(rules, "┬")}┐\n${line(head)}├${ArrayPrototypeJoin(rules, "┼")}┤\n`;
  for (let r = 0; r < rows; r++) {
    const cells = [];
    for (let c = 0; c < columns.length; c++) cells[c] = columns[c][r];
    text += line(cells);
  }
  return `${text}└${ArrayPrototypeJoin(rules, "┴")}┘`;
}

// ---- the object

const names = [
  "log", "debug", "info", "warn", "error", "dir", "dirxml", "table", "trace", "assert", "clear",
  "count", "countReset", "group", "groupCollapsed", "groupEnd", "time", "timeEnd", "timeLog",
];
const same = { __proto__: null, dirxml: "log", groupCollapsed: "group" };
const named = (name, method) => ObjectDefineProperty(method, "name", { __proto__: null, value: name, configurable: true });

// A namespace object has a prototype of its own (Console standard, §1).
export const console = ObjectCreate({});
for (const name of names) {
  // One function a name, so that replacing or naming one leaves the others.
  const method = name === "clear" ? { clear() {} }.clear
    : name in same ? named(name, (...args) => methods[same[name]](...args))
    : methods[name];
  ObjectDefineProperty(console, name, { __proto__: null, value: method, writable: true, configurable: true, enumerable: true });
}
ObjectDefineProperty(console, SymbolToStringTag, { __proto__: null, value: "console", configurable: true });

expose({ console });
