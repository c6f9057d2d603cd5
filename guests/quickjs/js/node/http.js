// node:http: the client. Servers can't be had: a program exports a fetch handler.
import { Agent as BaseAgent, ClientRequest as BaseRequest, IncomingMessage, OutgoingMessage, validateHeaderName, validateHeaderValue } from "mayfly:http-client";
import { METHODS, STATUS_CODES, maxHeaderSize } from "mayfly:npm/unenv/dist/runtime/node/internal/http/constants.mjs";
import { refusal, unavailable } from "mayfly:unavailable";

const why = "an isolate has no ports to listen on; export a fetch handler";
const refused = unavailable("http", why, ["Server", "createServer"]);
export const { Server, createServer } = refused;

export class Agent extends BaseAgent {}
export class ClientRequest extends BaseRequest {
  constructor(input, options, callback) { super(input, typeof options === "function" ? { _defaultProtocol: "http:" } : { ...options, _defaultProtocol: "http:" }, typeof options === "function" ? options : callback); }
}

// A ServerResponse can be made, since libraries inherit from it.
export class ServerResponse extends OutgoingMessage {
  constructor(request) {
    super();
    this.req = request;
    this.statusCode = 200;
    this.statusMessage = undefined;
  }
  writeHead(status, reason = undefined, headers = reason) {
    this.statusCode = status;
    if (typeof reason === "string") this.statusMessage = reason;
    else headers = reason;
    for (const name of Object.keys(headers ?? {})) this.setHeader(name, headers[name]);
    return this;
  }
  writeContinue() {}
  writeProcessing() {}
  writeEarlyHints() {}
  assignSocket() {}
  detachSocket() {}
  _write(chunk, encoding, callback) { callback(refusal("http.ServerResponse", why)); }
}
export const setMaxIdleHTTPParsers = () => {};
export const { CloseEvent, MessageEvent, WebSocket } = globalThis;
export { IncomingMessage, METHODS, OutgoingMessage, STATUS_CODES, maxHeaderSize, validateHeaderName, validateHeaderValue };
export const globalAgent = new Agent();
export const request = (input, options, callback) => new ClientRequest(input, options, callback);
export function get(input, options, callback) {
  const r = request(input, options, callback);
  r.end();
  return r;
}
export default {
  ...refused, Agent, ClientRequest, CloseEvent, IncomingMessage, METHODS, MessageEvent, OutgoingMessage, STATUS_CODES, ServerResponse, WebSocket, get, globalAgent, maxHeaderSize, request, setMaxIdleHTTPParsers, validateHeaderName,
  validateHeaderValue,
};
