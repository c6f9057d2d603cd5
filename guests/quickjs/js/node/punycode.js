// node:punycode, from the package unenv (MIT: node's own).
import punycode from "mayfly:npm/unenv/dist/runtime/node/punycode.mjs";

export default punycode;
export const { decode, encode, toASCII, toUnicode, ucs2, version } = punycode;
