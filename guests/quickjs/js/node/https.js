// node:https: the client. Servers can't be had: a program exports a fetch handler.
import { Agent as BaseAgent, ClientRequest as BaseRequest } from "mayfly:http-client";

import { unavailable } from "mayfly:unavailable";

const why = "an isolate has no ports to listen on; export a fetch handler";
const refused = unavailable("https", why, ["Server", "createServer"]);
export const { Server, createServer } = refused;

export class Agent extends BaseAgent {
  constructor(options) {
    super(options);
    this.defaultPort = 443;
    this.protocol = "https:";
  }
}
class ClientRequest extends BaseRequest {
  constructor(input, options, callback) { super(input, typeof options === "function" ? { _defaultProtocol: "https:" } : { ...options, _defaultProtocol: "https:" }, typeof options === "function" ? options : callback); }
}
export const globalAgent = new Agent();
export const request = (input, options, callback) => new ClientRequest(input, options, callback);
export function get(input, options, callback) {
  const r = request(input, options, callback);
  r.end();
  return r;
}
export default {
  ...refused, Agent, get, globalAgent, request,
};
