// node:querystring, from the package unenv (MIT: node's own).
import querystring from "mayfly:npm/unenv/dist/runtime/node/querystring.mjs";

export default querystring;
export const { decode, encode, escape, parse, stringify, unescape, unescapeBuffer } = querystring;
