// node:http's client, over fetch: requests and responses as node's streams. A
// request's body is gathered and sent when it ends. What a transport would tell
// (sockets, trailers, upgrades, informational responses) can't be had.
import { Error, Object, TypeError } from "mayfly:intrinsics";
import { Buffer } from "mayfly:buffer";
import { EventEmitter } from "mayfly:emitter";
import { process } from "mayfly:process";
import { stream } from "mayfly:stream";
import { coded, invalidArgType } from "mayfly:node-errors";
import { STATUS_CODES } from "mayfly:npm/unenv/dist/runtime/node/internal/http/constants.mjs";
import { urlToHttpOptions } from "node:url";

const { AbortController, URL, fetch, setTimeout, clearTimeout } = globalThis;
const { Readable, Writable } = stream;

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

export function validateHeaderName(name) {
  if (typeof name !== "string" || !TOKEN.test(name)) throw coded(new TypeError(`Header name must be a valid HTTP token ["${name}"]`), "ERR_INVALID_HTTP_TOKEN");
}
export function validateHeaderValue(name, value) {
  if (value === undefined) throw coded(new TypeError(`Invalid value "${value}" for header "${name}"`), "ERR_HTTP_INVALID_HEADER_VALUE");
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) throw coded(new TypeError(`Invalid character in header content ["${name}"]`), "ERR_INVALID_CHAR");
}

// A Socket stands for the connection that libraries look at.
class ConnectedSocket extends EventEmitter {
  constructor(encrypted) {
    super();
    if (encrypted) this.encrypted = this.authorized = true;
    this.connecting = false;
    this.destroyed = false;
    this.readable = this.writable = true;
    this.bytesRead = this.bytesWritten = 0;
  }
  setKeepAlive() { return this; }
  setNoDelay() { return this; }
  setTimeout() { return this; }
  ref() { return this; }
  unref() { return this; }
  cork() {}
  uncork() {}
  address() { return {}; }
  end() { return this; }
  destroy() {
    this.destroyed = true;
    return this;
  }
}

export class IncomingMessage extends Readable {
  constructor(socket = undefined) {
    super({ highWaterMark: socket?.readableHighWaterMark });
    this.socket = this.connection = socket;
    this.httpVersion = "1.1";
    this.httpVersionMajor = this.httpVersionMinor = 1;
    this.complete = false;
    this.headers = {};
    this.rawHeaders = [];
    this.trailers = {};
    this.rawTrailers = [];
    this.aborted = false;
    this.upgrade = false;
    this.url = "";
    this.method = null;
    this.statusCode = null;
    this.statusMessage = null;
  }
  get headersDistinct() { return Object.fromEntries(Object.entries(this.headers).map(([name, value]) => [name, [value].flat()])); }
  setTimeout(ms, callback = undefined) {
    if (callback) this.once("timeout", callback);
    return this;
  }
  _read() {}
}

// receive fills a message from a response of fetch.
function receive(message, response) {
  message.statusCode = response.status;
  message.statusMessage = response.statusText || STATUS_CODES[response.status] || "";
  message.responseUrl = response.url;
  for (const [name, value] of response.headers) {
    message.rawHeaders.push(name, value);
    if (name === "set-cookie") (message.headers[name] ??= []).push(value);
    else message.headers[name] = name in message.headers ? `${message.headers[name]}, ${value}` : value;
  }
  if (response.body === null) {
    message.complete = true;
    message.push(null);
    return;
  }
  const reader = response.body.getReader();
  message._read = () => {
    reader.read().then(({ done, value }) => {
      if (done) {
        message.complete = true;
        message.push(null);
      } else {
        message.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
      }
    }, (error) => message.destroy(coded(new Error("aborted", { cause: error }), "ECONNRESET")));
  };
  message._destroy = (error, callback) => {
    if (!message.complete) {
      message.aborted = true;
      reader.cancel(error ?? undefined).catch(() => {});
    }
    callback(error);
  };
}

// Headers of messages that are written.
export class OutgoingMessage extends Writable {
  #headers = new Map(); // by lower-case name: [name, value]
  constructor(options = undefined) {
    super(options);
    this.headersSent = false;
    this.finished = false;
    this.sendDate = true;
    this.shouldKeepAlive = true;
    this.socket = this.connection = null;
  }
  setHeader(name, value) {
    validateHeaderName(name);
    for (const each of [value].flat()) validateHeaderValue(name, each);
    if (this.headersSent) throw coded(new Error("Cannot set headers after they are sent to the client"), "ERR_HTTP_HEADERS_SENT");
    this.#headers.set(name.toLowerCase(), [name, value]);
    return this;
  }
  setHeaders(headers) {
    for (const [name, value] of headers) this.setHeader(name, value);
    return this;
  }
  appendHeader(name, value) {
    const before = this.getHeader(name);
    return this.setHeader(name, before === undefined ? value : [before, value].flat());
  }
  getHeader(name) { return this.#headers.get(`${name}`.toLowerCase())?.[1]; }
  getHeaders() { return Object.assign({ __proto__: null }, Object.fromEntries([...this.#headers].map(([key, [, value]]) => [key, value]))); }
  getHeaderNames() { return [...this.#headers.keys()]; }
  getRawHeaderNames() { return [...this.#headers.values()].map(([name]) => name); }
  hasHeader(name) { return this.#headers.has(`${name}`.toLowerCase()); }
  removeHeader(name) { this.#headers.delete(`${name}`.toLowerCase()); }
  addTrailers() {}
  flushHeaders() {}
  setTimeout(ms, callback = undefined) {
    if (callback) this.once("timeout", callback);
    return this;
  }
}

// Headers that are the transport's, or that fetch makes itself.
const transport = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "host", "content-length", "expect", "proxy-connection", "te", "trailer"]);

export class ClientRequest extends OutgoingMessage {
  #chunks = [];
  #controller = new AbortController();
  #url;
  #timer;
  #redirect = "manual";

  constructor(input, options = undefined, callback = undefined) {
    super({ autoDestroy: false, emitClose: false }); // it ends when the response does
    if (typeof options === "function") [options, callback] = [undefined, options];
    if (typeof input === "string") input = urlToHttpOptions(new URL(input));
    else if (input instanceof URL) input = urlToHttpOptions(input);
    options = { ...input, ...options };
    const protocol = options.protocol ?? options.agent?.protocol ?? options._defaultProtocol ?? "http:";
    if (protocol !== "http:" && protocol !== "https:") throw coded(new TypeError(`Protocol "${protocol}" not supported. Expected "http:"`), "ERR_INVALID_PROTOCOL");
    if (options._defaultProtocol !== undefined && protocol !== options._defaultProtocol && !(options.agent?.protocol === protocol)) {
      throw coded(new TypeError(`Protocol "${protocol}" not supported. Expected "${options._defaultProtocol}"`), "ERR_INVALID_PROTOCOL");
    }
    const path = options.path ?? "/";
    if (/[^\x21-\xff]/.test(path)) throw coded(new TypeError("Request path contains unescaped characters"), "ERR_UNESCAPED_CHARACTERS");
    const method = options.method ?? "GET";
    if (typeof method !== "string") throw invalidArgType("options.method", "of type string", method);
    if (!TOKEN.test(method)) throw coded(new TypeError(`Method must be a valid HTTP token ["${method}"]`), "ERR_INVALID_HTTP_TOKEN");
    const host = options.hostname ?? options.host ?? "localhost";
    const port = options.port ?? options.defaultPort ?? "";
    this.method = method.toUpperCase();
    this.path = path;
    this.host = host;
    this.protocol = protocol;
    this.agent = options.agent;
    this.aborted = false;
    this.reusedSocket = false;
    this.maxHeadersCount = null;
    this.res = null;
    this.#url = `${protocol}//${host.includes(":") && host[0] !== "[" ? `[${host}]` : host}${port === "" ? "" : `:${port}`}${path[0] === "/" || path[0] === "?" ? path : `/${path}`}`;
    const { headers } = options;
    if (Array.isArray(headers)) {
      if (Array.isArray(headers[0])) for (const [name, value] of headers) this.appendHeader(name, value);
      else for (let i = 0; i + 1 < headers.length; i += 2) this.appendHeader(headers[i], headers[i + 1]);
    } else if (headers) {
      for (const name of Object.keys(headers)) if (headers[name] !== undefined) this.setHeader(name, headers[name]);
    }
    if (options.auth && !this.hasHeader("authorization")) this.setHeader("Authorization", `Basic ${Buffer.from(options.auth).toString("base64")}`);
    if (callback) this.once("response", callback);
    if (options.timeout) this.setTimeout(options.timeout);
    if (options.signal) {
      const abort = () => this.destroy(Object.assign(coded(new Error("The operation was aborted", { cause: options.signal.reason }), "ABORT_ERR"), { name: "AbortError" }));
      if (options.signal.aborted) process.nextTick(abort);
      else options.signal.addEventListener("abort", abort, { once: true });
    }
    this.socket = this.connection = new ConnectedSocket(protocol === "https:");
    process.nextTick(() => {
      if (this.destroyed) return;
      this.emit("socket", this.socket);
      this.socket.emit("connect");
      if (this.socket.encrypted) this.socket.emit("secureConnect");
    });
  }

  _write(chunk, encoding, callback) {
    this.#chunks.push(typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk);
    callback();
  }
  _final(callback) {
    this.finished = this.headersSent = true;
    this.#send();
    callback();
  }

  #send() {
    const headers = [];
    for (const name of this.getRawHeaderNames()) {
      if (transport.has(name.toLowerCase())) continue;
      for (const value of [this.getHeader(name)].flat()) headers.push([name, `${value}`]);
    }
    const bodiless = this.method === "GET" || this.method === "HEAD";
    const body = bodiless || this.#chunks.length === 0 ? undefined : Buffer.concat(this.#chunks);
    fetch(this.#url, { method: this.method, headers, body, redirect: this.#redirect, signal: this.#controller.signal }).then((response) => {
      clearTimeout(this.#timer);
      if (this.destroyed) return;
      const message = new IncomingMessage(this.socket);
      message.req = this;
      this.res = message;
      receive(message, response);
      message.once("close", () => this.emit("close"));
      if (!this.emit("response", message)) message.resume();
    }, (error) => {
      clearTimeout(this.#timer);
      if (this.destroyed) return;
      const { cause } = error;
      const failure = new Error(cause?.message ?? error.message, { cause: error });
      this.destroy(coded(failure, cause?.code ?? error.code ?? "ECONNREFUSED"));
      process.nextTick(() => this.emit("close"));
    });
  }

  _destroy(error, callback) {
    clearTimeout(this.#timer);
    if (this.res === null) {
      this.#controller.abort();
      // Ended or not, without a response the request has failed.
      callback(error ?? (this.aborted || this.headersSent || this.#chunks.length > 0 ? coded(new Error("socket hang up"), "ECONNRESET") : null));
      return;
    }
    if (!this.res.complete) this.res.destroy(error);
    callback(error);
  }
  abort() {
    if (this.aborted) return;
    this.aborted = true;
    process.nextTick(() => this.emit("abort"));
    this.destroy();
  }
  setTimeout(ms, callback = undefined) {
    if (callback) this.once("timeout", callback);
    clearTimeout(this.#timer);
    if (ms > 0) this.#timer = setTimeout(() => this.emit("timeout"), ms);
    return this;
  }
  setNoDelay() {}
  setSocketKeepAlive() {}
  onSocket() {}
}

export class Agent extends EventEmitter {
  constructor(options = {}) {
    super();
    this.options = { path: null, ...options };
    this.requests = {};
    this.sockets = {};
    this.freeSockets = {};
    this.keepAlive = options.keepAlive ?? false;
    this.maxSockets = options.maxSockets ?? Infinity;
    this.maxFreeSockets = options.maxFreeSockets ?? 256;
    this.maxTotalSockets = Infinity;
    this.defaultPort = 80;
    this.protocol = "http:";
  }
  getName({ host = "localhost", port = "", localAddress = "" } = {}) { return `${host}:${port}:${localAddress}`; }
  keepSocketAlive() { return true; }
  reuseSocket() {}
  destroy() {}
}
