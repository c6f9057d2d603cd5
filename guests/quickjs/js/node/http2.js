// node:http2: its constants, of the package unenv (MIT); connections can't be had.
import * as names from "mayfly:npm/unenv/dist/runtime/node/internal/http2/constants.mjs";
import { unavailable } from "mayfly:unavailable";

const refused = unavailable("http2", "an isolate has no sockets; fetch uses HTTP/2 by itself", [
  "Http2ServerRequest", "Http2ServerResponse", "connect", "createSecureServer", "createServer", "getDefaultSettings", "getPackedSettings", "getUnpackedSettings", "performServerHandshake",
]);
export const { Http2ServerRequest, Http2ServerResponse, connect, createSecureServer, createServer, getDefaultSettings, getPackedSettings, getUnpackedSettings, performServerHandshake } = refused;
export const sensitiveHeaders = Symbol("sensitiveHeaders");
export const constants = Object.freeze({ __proto__: null, ...names });
export default { ...refused, constants, sensitiveHeaders };
