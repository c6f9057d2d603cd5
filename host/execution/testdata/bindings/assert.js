// What the programs of this directory assert by.
import { isDeepStrictEqual, inspect } from "node:util";

function fail(message) { throw new Error(`assertion failed: ${message}`); }

function check(error, type, message) {
  if (!(error instanceof type)) fail(`${inspect(error)} is no ${type.name}`);
  if (message instanceof RegExp ? !message.test(error.message) : message !== undefined && error.message !== message) fail(`the message is ${inspect(error.message)}, expected ${inspect(message)}`);
  return error;
}

export default {
  is(got, want, about = "") {
    if (!Object.is(got, want)) fail(`${inspect(got)} is not ${inspect(want)} ${about}`);
  },
  same(got, want) {
    if (!isDeepStrictEqual(got, want)) fail(`${inspect(got, { depth: 9 })} is not ${inspect(want, { depth: 9 })}`);
  },
  throws(f, type, message) {
    try {
      f();
    } catch (error) {
      return check(error, type, message);
    }
    return fail("nothing was thrown");
  },
  async rejects(promise, type, message) {
    if (!(promise instanceof Promise)) fail("that is no promise");
    try {
      await promise;
    } catch (error) {
      return check(error, type, message);
    }
    return fail(`nothing was thrown where ${message ?? type.name} was expected`);
  },
};
