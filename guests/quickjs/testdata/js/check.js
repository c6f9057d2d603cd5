// What the programs beside this file check themselves with. A failed check goes
// to standard error, and the program goes on; done() says that it came to its
// end.
let passed = 0;

const show = (value) => {
  try {
    return typeof value === "string" ? JSON.stringify(value) : typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
  } catch {
    return String(value);
  }
};

const where = () => new Error().stack.split("\n").filter((line) => !line.includes("check.js")).slice(0, 1).join("").trim();

export function check(condition, what = "condition") {
  if (condition) passed++;
  else console.error(`${what}: not so, ${where()}`);
}

function alike(a, b) {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) {
    return a.constructor.name === b.constructor.name && a.length === b.length && Array.prototype.every.call(a, (v, i) => v === b[i]);
  }
  const keys = Object.keys(a);
  return Array.isArray(a) === Array.isArray(b) && keys.length === Object.keys(b).length && keys.every((key) => alike(a[key], b[key]));
}

export function same(actual, expected, what = "value") {
  if (alike(actual, expected)) passed++;
  else console.error(`${what}: ${show(actual)}, not ${show(expected)}, ${where()}`);
}

function sameError(error, wanted, what) {
  for (const key of Object.keys(wanted)) {
    if (error?.[key] !== wanted[key]) {
      console.error(`${what}: ${key} is ${show(error?.[key])}, not ${show(wanted[key])}; ${error}, ${where()}`);
      return;
    }
  }
  passed++;
}

// throws checks that f throws an error with the given properties.
export function throws(f, wanted, what = f.toString()) {
  let result;
  try {
    result = f();
  } catch (error) {
    sameError(error, wanted, what);
    return error;
  }
  console.error(`${what}: no error but ${show(result)}, ${where()}`);
}

export async function rejects(promise, wanted, what = "promise") {
  let result;
  try {
    result = await (typeof promise === "function" ? promise() : promise);
  } catch (error) {
    sameError(error, wanted, what);
    return error;
  }
  console.error(`${what}: no rejection but ${show(result)}, ${where()}`);
}

export const sleep = (ms = 1) => new Promise((resolve) => setTimeout(resolve, ms));

// anInterface checks the shape that Web IDL gives a class.
export function anInterface(constructor, name, { length = 0, attributes = [], methods = {}, statics = {}, abstract = false, parent } = {}) {
  same(constructor.name, name, `${name}.name`);
  same(constructor.length, length, `${name}.length`);
  same(Object.prototype.toString.call(constructor.prototype), `[object ${name}]`, `${name} tag`);
  throws(() => constructor(), { name: "TypeError" }, `${name}() without new`);
  if (abstract) throws(() => new constructor(), { name: "TypeError" }, `new ${name}()`);
  if (parent !== undefined) {
    same(Object.getPrototypeOf(constructor) === parent, true, `${name} extends`);
    same(Object.getPrototypeOf(constructor.prototype) === parent.prototype, true, `${name}.prototype extends`);
  }
  const global = Object.getOwnPropertyDescriptor(globalThis, name);
  same([global.value === constructor, global.writable, global.enumerable, global.configurable], [true, true, false, true], `global ${name}`);
  for (const key of attributes) {
    const d = Object.getOwnPropertyDescriptor(constructor.prototype, key);
    same([typeof d?.get, d?.enumerable, d?.configurable], ["function", true, true], `${name}.${key}`);
    throws(() => d.get.call({}), { name: "TypeError" }, `${name}.${key} of something else`);
  }
  for (const key of Object.keys(methods)) {
    const d = Object.getOwnPropertyDescriptor(constructor.prototype, key);
    same([typeof d?.value, d?.writable, d?.enumerable, d?.configurable, d?.value.name, d?.value.length],
      ["function", true, true, true, key, methods[key]], `${name}.${key}()`);
  }
  for (const key of Object.keys(statics)) {
    const d = Object.getOwnPropertyDescriptor(constructor, key);
    same([typeof d?.value, d?.enumerable, d?.value.length], ["function", true, statics[key]], `${name}.${key}() static`);
  }
}

export function done() {
  console.log(`${passed} checks passed`);
}
