// node:assert: AssertionError with the texts of node's, and the functions.
//
// Missing on purpose: CallTracker, and the source text of what was false.
import { Error, Object, RegExp, Set, TypeError } from "mayfly:intrinsics";
import { inspect } from "mayfly:inspect";
import { isDeepEqual, isDeepStrictEqual } from "mayfly:equality";
import { coded, invalidArgType, invalidArgValue } from "mayfly:node-errors";

const headings = {
  deepStrictEqual: "Expected values to be strictly deep-equal:",
  partialDeepStrictEqual: "Expected values to be partially and strictly deep-equal:",
  strictEqual: "Expected values to be strictly equal:",
  deepEqual: "Expected values to be loosely deep-equal:",
  notDeepStrictEqual: 'Expected "actual" not to be strictly deep-equal to:',
  notStrictEqual: 'Expected "actual" to be strictly unequal to:',
  notDeepEqual: 'Expected "actual" not to be loosely deep-equal to:',
};

const show = (value) => inspect(value, {
  compact: false, customInspect: false, depth: 1000, maxArrayLength: Infinity, showHidden: false, showProxy: false, sorted: true, getters: true, breakLength: Infinity,
});

const MAX_DIFF = 400; // lines of each side that are compared

// difference shows two lists of lines, with what only one has marked.
function difference(actual, expected) {
  const n = actual.length;
  const m = expected.length;
  if (n > MAX_DIFF || m > MAX_DIFF) return [...actual.map((l) => `+ ${l}`), ...expected.map((l) => `- ${l}`)].slice(0, 2 * MAX_DIFF);
  const common = Array.from({ length: n + 1 }, () => new Uint16Array(m + 1));
  for (let i = n - 1; i >= 0; i--) {
    for (let j = m - 1; j >= 0; j--) common[i][j] = actual[i] === expected[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
  }
  const lines = [];
  let i = 0;
  let j = 0;
  while (i < n || j < m) {
    if (i < n && j < m && actual[i] === expected[j]) {
      lines.push(`  ${actual[i]}`);
      i++;
      j++;
    } else if (i < n && (j === m || common[i + 1][j] >= common[i][j + 1])) {
      lines.push(`+ ${actual[i++]}`);
    } else {
      lines.push(`- ${expected[j++]}`);
    }
  }
  return lines;
}

// The two operators that show values below a caller's own text, too.
const shown = ["strictEqual", "deepStrictEqual"];

function generate(operator, actual, expected, message = undefined) {
  const heading = message ?? headings[operator];
  if (operator.startsWith("not") && heading !== undefined) {
    const shown = show(actual);
    if (operator === "notDeepEqual") return `${heading}\n\n${shown}\n\nshould not loosely deep-equal\n\n${show(expected)}`;
    const text = operator === "notStrictEqual" && typeof actual === "object" && actual !== null ? 'Expected "actual" not to be reference-equal to "expected":' : heading;
    return shown.includes("\n") ? `${text}\n\n${shown}\n` : `${text} ${shown}`;
  }
  if (operator === "deepEqual") return `${heading}\n\n${show(actual)}\n\nshould loosely deep-equal\n\n${show(expected)}`;
  if (heading === undefined) return `${inspect(actual)} ${operator} ${inspect(expected)}`;
  const [a, b] = [show(actual), show(expected)];
  if (operator === "strictEqual" && !a.includes("\n") && !b.includes("\n") && a !== b && (typeof actual !== "object" || actual === null) && (typeof expected !== "object" || expected === null) && a.length + b.length < 70) {
    return `${heading}\n\n${a} !== ${b}\n`;
  }
  if (a === b) return operator === "strictEqual" ? `Values have same structure but are not reference-equal:\n\n${a}\n` : `${heading}\n\n${a}\n`;
  return `${heading}\n+ actual - expected\n\n${difference(a.split("\n"), b.split("\n")).join("\n")}`;
}

export class AssertionError extends Error {
  constructor(options) {
    if (options === null || typeof options !== "object") throw invalidArgType("options", "of type object", options);
    const { message, operator, actual, expected, stackStartFn } = options;
    const own = message !== undefined && message !== null;
    super(own && !shown.includes(operator) ? `${message}` : operator === "fail" ? "Failed" : generate(`${operator}`, actual, expected, own ? `${message}` : undefined));
    this.generatedMessage = message === undefined || message === null;
    Object.defineProperty(this, "name", { value: "AssertionError", enumerable: false, writable: true, configurable: true });
    this.code = "ERR_ASSERTION";
    this.actual = actual;
    this.expected = expected;
    this.operator = operator;
    Error.captureStackTrace?.(this, stackStartFn);
  }
  toString() { return `${this.name} [${this.code}]: ${this.message}`; }
}

// fail throws; generated is the text where the caller gave no message.
function fail(options, generated = undefined) {
  const { message } = options;
  if (message instanceof Error) throw message;
  const error = new AssertionError(message === undefined ? { ...options, message: generated } : options);
  error.generatedMessage = message === undefined;
  throw error;
}

function need(args, count) {
  if (args.length >= count) return;
  throw coded(new TypeError(count === 1 ? 'The "value" argument must be specified' : 'The "actual" and "expected" arguments must be specified'), "ERR_MISSING_ARGS");
}

const NOTHING = Symbol("nothing");

function caught(f) {
  if (typeof f !== "function") throw invalidArgType("fn", "of type function", f);
  try {
    f();
  } catch (error) {
    return error;
  }
  return NOTHING;
}

async function caughtLater(promiseOrF) {
  let promise = promiseOrF;
  if (typeof promiseOrF === "function") {
    promise = promiseOrF();
    if (typeof promise?.then !== "function") throw coded(new TypeError('Expected instance of Promise to be returned from the "promiseFn" function'), "ERR_INVALID_RETURN_VALUE");
  } else if (typeof promise?.then !== "function") {
    throw invalidArgType("promiseFn", "of type function or an instance of Promise", promiseOrF);
  }
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return NOTHING;
}

// expectError checks what was thrown against a class, a pattern, a function or
// an object of properties.
function expectError(actual, expected, message, operator, stackStartFn) {
  if (typeof expected === "function") {
    if (expected.prototype !== undefined && actual instanceof expected) return;
    if (Error.isPrototypeOf(expected) || expected === Error) {
      const received = actual instanceof Error ? `"${actual.constructor?.name}"\n\nError message:\n\n${actual.message}` : `"${inspect(actual, { depth: -1 })}"`;
      fail({ message, actual, expected, operator, stackStartFn }, `The error is expected to be an instance of "${expected.name}". Received ${received}`);
    }
    const result = Reflect.apply(expected, {}, [actual]);
    if (result !== true) {
      fail({ message, actual, expected, operator, stackStartFn }, `The ${expected.name ? `"${expected.name}" ` : ""}validation function is expected to return "true". Received ${inspect(result)}\n\nCaught error:\n\n${inspect(actual)}`);
    }
    return;
  }
  if (expected instanceof RegExp) {
    if (expected.exec(String(actual)) !== null) return;
    fail({ message, actual, expected, operator, stackStartFn }, `The input did not match the regular expression ${inspect(expected)}. Input:\n\n${inspect(String(actual))}\n`);
  }
  if (typeof actual !== "object" || actual === null) fail({ message, actual, expected, operator: "deepStrictEqual", stackStartFn });
  const keys = Object.keys(expected);
  if (expected instanceof Error) keys.push("name", "message");
  else if (keys.length === 0) throw invalidArgValue("error", expected, "may not be an empty object");
  for (const key of keys) {
    if (typeof actual[key] === "string" && expected[key] instanceof RegExp && expected[key].exec(actual[key]) !== null) continue;
    if (key in actual && isDeepStrictEqual(actual[key], expected[key])) continue;
    if (message !== undefined) fail({ message, actual, expected, operator: "throws", stackStartFn });
    const pick = (from) => Object.fromEntries(keys.filter((k) => k in from).map((k) => [k, from[k]]));
    fail({ message, actual: pick(actual), expected: pick(expected), operator: "deepStrictEqual", stackStartFn });
  }
}

function checkThrown(actual, expected, message, operator, stackStartFn) {
  if (typeof expected === "string") [expected, message] = [undefined, expected];
  if (actual === NOTHING) {
    const what = operator === "rejects" ? "rejection" : "exception";
    fail({ message: message instanceof Error ? message : `Missing expected ${what}${expected?.name ? ` (${expected.name})` : ""}${message ? `: ${message}` : "."}`, actual: undefined, expected, operator, stackStartFn });
  }
  if (expected !== undefined) expectError(actual, expected, message, operator, stackStartFn);
}

function checkNotThrown(actual, expected, message, operator, stackStartFn) {
  if (actual === NOTHING) return;
  if (typeof expected === "string") [expected, message] = [undefined, expected];
  if (expected !== undefined && !(typeof expected === "function" ? actual instanceof expected : expected.test(String(actual)))) throw actual;
  fail({ message: `Got unwanted ${operator === "doesNotReject" ? "rejection" : "exception"}${message ? `: ${message}` : "."}\nActual message: "${actual?.message}"`, actual, expected, operator, stackStartFn });
}

// contains says whether all that expected has is in actual.
function contains(actual, expected) {
  if (Object.is(actual, expected)) return true;
  if (typeof actual !== "object" || typeof expected !== "object" || actual === null || expected === null) return false;
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) return false;
  if (expected instanceof Map) return [...expected].every(([k, v]) => actual.has(k) && contains(actual.get(k), v));
  if (expected instanceof Set) return [...expected].every((v) => actual.has(v) || [...actual].some((w) => contains(w, v)));
  if (Array.isArray(expected)) {
    let at = 0;
    return expected.every((v) => {
      while (at < actual.length) if (contains(actual[at++], v)) return true;
      return false;
    });
  }
  const keys = Reflect.ownKeys(expected);
  if (keys.length === 0 || expected instanceof Date || expected instanceof RegExp || ArrayBuffer.isView(expected)) return isDeepStrictEqual(actual, expected);
  return keys.every((key) => Object.hasOwn(actual, key) && contains(actual[key], expected[key]));
}

export function ok(...args) {
  const [value, message] = args;
  if (value) return;
  fail({ message, actual: value, expected: true, operator: "==", stackStartFn: ok }, args.length === 0 ? "No value argument passed to `assert.ok()`" : "The expression evaluated to a falsy value");
}

const comparison = (operator, test) => function compare(actual, expected, message = undefined) {
  need(arguments, 2);
  if (!test(actual, expected)) fail({ message, actual, expected, operator, stackStartFn: compare });
};

const functions = {
  equal: comparison("==", (a, b) => a == b || (a !== a && b !== b)),
  notEqual: comparison("!=", (a, b) => a != b && !(a !== a && b !== b)),
  strictEqual: comparison("strictEqual", Object.is),
  notStrictEqual: comparison("notStrictEqual", (a, b) => !Object.is(a, b)),
  deepEqual: comparison("deepEqual", isDeepEqual),
  notDeepEqual: comparison("notDeepEqual", (a, b) => !isDeepEqual(a, b)),
  deepStrictEqual: comparison("deepStrictEqual", isDeepStrictEqual),
  notDeepStrictEqual: comparison("notDeepStrictEqual", (a, b) => !isDeepStrictEqual(a, b)),
  partialDeepStrictEqual: comparison("partialDeepStrictEqual", contains),
  fail(message = "Failed") {
    if (message instanceof Error) throw message;
    const error = new AssertionError({ message, operator: "fail", stackStartFn: functions.fail });
    error.generatedMessage = arguments.length === 0;
    throw error;
  },
  throws(f, expected = undefined, message = undefined) { checkThrown(caught(f), expected, message, "throws", functions.throws); },
  doesNotThrow(f, expected = undefined, message = undefined) { checkNotThrown(caught(f), expected, message, "doesNotThrow", functions.doesNotThrow); },
  async rejects(promise, expected = undefined, message = undefined) { checkThrown(await caughtLater(promise), expected, message, "rejects", functions.rejects); },
  async doesNotReject(promise, expected = undefined, message = undefined) { checkNotThrown(await caughtLater(promise), expected, message, "doesNotReject", functions.doesNotReject); },
  ifError(value) {
    if (value === null || value === undefined) return;
    const text = typeof value === "object" && typeof value.message === "string" ? value.message || value.constructor?.name : inspect(value);
    fail({ message: `ifError got unwanted exception: ${text}`, actual: value, expected: null, operator: "ifError", stackStartFn: functions.ifError });
  },
  match(string, pattern, message = undefined) {
    if (!(pattern instanceof RegExp)) throw invalidArgType("regexp", "an instance of RegExp", pattern);
    if (typeof string === "string" && pattern.exec(string) !== null) return;
    fail({ message, actual: string, expected: pattern, operator: "match", stackStartFn: functions.match },
      typeof string === "string" ? `The input did not match the regular expression ${inspect(pattern)}. Input:\n\n${inspect(string)}\n` : `The "string" argument must be of type string. Received type ${typeof string} (${inspect(string)})`);
  },
  doesNotMatch(string, pattern, message = undefined) {
    if (!(pattern instanceof RegExp)) throw invalidArgType("regexp", "an instance of RegExp", pattern);
    if (typeof string === "string" && pattern.exec(string) === null) return;
    fail({ message, actual: string, expected: pattern, operator: "doesNotMatch", stackStartFn: functions.doesNotMatch }, `The input was expected to not match the regular expression ${inspect(pattern)}. Input:\n\n${inspect(string)}\n`);
  },
};
for (const name of Object.keys(functions)) Object.defineProperty(functions[name], "name", { value: name });

export const assert = Object.assign(function assert(...args) {
  if (!args[0]) ok(...args);
}, { ok, AssertionError, ...functions });
export const strict = Object.assign(function strict(...args) {
  if (!args[0]) ok(...args);
}, assert, { equal: assert.strictEqual, notEqual: assert.notStrictEqual, deepEqual: assert.deepStrictEqual, notDeepEqual: assert.notDeepStrictEqual });
assert.strict = strict.strict = strict;
