// node:assert
import { assert } from "mayfly:assertion";

export default assert;
export const {
  AssertionError, deepEqual, deepStrictEqual, doesNotMatch, doesNotReject, doesNotThrow, equal, fail, ifError, match, notDeepEqual, notDeepStrictEqual, notEqual,
  notStrictEqual, ok, partialDeepStrictEqual, rejects, strict, strictEqual, throws,
} = assert;
