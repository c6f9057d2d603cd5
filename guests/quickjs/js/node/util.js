// node:util
import { util } from "mayfly:util";

export default util;
export const {
  TextDecoder, TextEncoder, aborted, callbackify, debug, debuglog, deprecate, format, formatWithOptions, getSystemErrorName, inherits, inspect, isArray,
  isDeepStrictEqual, promisify, stripVTControlCharacters, toUSVString, types,
} = util;
