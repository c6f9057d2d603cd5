// What the cases check with. Every check that passes is counted.
import { inspect, isDeepStrictEqual } from "node:util";

let passed = 0;
export const count = () => passed;

function fail(message) {
  throw new Error(message);
}

export function equal(actual, expected) {
  if (!isDeepStrictEqual(actual, expected)) fail(`got ${inspect(actual, { depth: 6 })}, want ${inspect(expected, { depth: 6 })}`);
  passed++;
}

export function match(actual, pattern) {
  if (typeof actual !== "string" || !pattern.test(actual)) fail(`got ${inspect(actual)}, which does not match ${pattern}`);
  passed++;
}

export function ok(value, what) {
  if (!value) fail(what);
  passed++;
}

export function throws(f, pattern) {
  let error;
  try {
    f();
  } catch (e) {
    error = e;
  }
  if (error === undefined) fail(`nothing was thrown, want ${pattern}`);
  match(`${error.name}: ${error.message}`, pattern);
}

export async function rejects(promise, pattern) {
  let error;
  try {
    await promise;
  } catch (e) {
    error = e;
  }
  if (error === undefined) fail(`nothing was thrown, want ${pattern}`);
  match(`${error.name}: ${error.message}`, pattern);
}
