// node:assert/strict
import { strict } from "mayfly:assertion";

export default strict;
export const {
  AssertionError, deepEqual, deepStrictEqual, doesNotMatch, doesNotReject, doesNotThrow, equal, fail, ifError, match, notDeepEqual, notDeepStrictEqual, notEqual,
  notStrictEqual, ok, partialDeepStrictEqual, rejects, strict, strictEqual, throws,
} = strict;
