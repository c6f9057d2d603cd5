// WebSocket, after the WebSockets standard (https://websockets.spec.whatwg.org),
// and what Workers have besides: the socket of a response, which is accepted,
// and WebSocketPair, two ends that are coupled in this isolate.
//
// The host has the connection. It is asked for one message at a time, when the
// listeners have had the one before; what is sent waits here until the host has
// put on the wire what it was given. bufferedAmount is what waits.
import { DOMException, Error, TypeError, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Reader, Writer, call, cancel, start, utf8Decode, utf8Encode } from "mayfly:host";
import { BODY_CANCEL, SLEEP, WEBSOCKET, WEBSOCKET_CLOSE, WEBSOCKET_RECEIVE, WEBSOCKET_SEND } from "mayfly:op.gen";
import { CloseEvent, ErrorEvent, Event, EventTarget, MessageEvent, dispatch, getHandler, setHandler, setTrusted } from "mayfly:event";
import { adoptBlob, blobBytes, isBlob } from "mayfly:blob";
import { bytesOf } from "mayfly:crypto";
import { defineInterface, expose, requireArguments } from "mayfly:interface";
import {
  ArrayPrototypeJoin, ArrayPrototypePush, ArrayPrototypeShift, ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, StringPrototypeCharCodeAt, StringPrototypeIncludes,
  StringPrototypeIndexOf, StringPrototypeSlice, StringPrototypeStartsWith, StringPrototypeToLowerCase, StringPrototypeToWellFormed, SymbolIterator,
  TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteLength, bytesCopy, uncurryThis,
} from "mayfly:primordials";

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

// Kinds of messages, as the operations number them.
const END = 0;
const TEXT = 1;
const BINARY = 2;

const NO_STATUS = 1005;
const BROKEN = 1006;

// What the host is given at once: messages and bytes.
const BATCH = 256;
const BATCH_BYTES = 1 << 20;

const NOW = new Writer(8).f64(0).done();
const none = new Uint8Array(0);
const ignore = () => {};

const { URL } = globalThis;
const hrefOf = uncurryThis(ObjectGetOwnPropertyDescriptor(URL.prototype, "href").get);
const originOf = uncurryThis(ObjectGetOwnPropertyDescriptor(URL.prototype, "origin").get);
const decode = utf8Decode; // which keeps a byte order mark

const syntaxError = (message) => new DOMException(message, "SyntaxError");
const handleMessage = (handle) => new Writer(4).u32(handle).done();

// requireEvent fails where a socket belongs to another event of a worker.
function requireEvent(event) {
  if (event !== native.currentEvent()) throw new Error("Cannot perform I/O on behalf of a different request. I/O objects (such as streams, request/response bodies, and others) created in the context of one request handler cannot be accessed from a different request's handler. This is a limitation of Cloudflare Workers which allows us to improve overall performance.");
}

// addressOf is the serialized URL of a WebSocket.
function addressOf(url) {
  let href;
  try {
    href = hrefOf(new URL(url));
  } catch {
    throw syntaxError(`WebSocket constructor: '${url}' is not a URL`);
  }
  if (StringPrototypeStartsWith(href, "http:") || StringPrototypeStartsWith(href, "https:")) href = `ws${StringPrototypeSlice(href, 4)}`;
  if (!StringPrototypeStartsWith(href, "ws:") && !StringPrototypeStartsWith(href, "wss:")) {
    throw syntaxError("WebSocket constructor: the scheme of the URL is not ws, wss, http or https");
  }
  if (StringPrototypeIncludes(href, "#")) throw syntaxError("WebSocket constructor: the URL has a fragment");
  return href;
}

// isProtocol tells tokens (RFC 9110 5.6.2), which names of subprotocols are.
function isProtocol(name) {
  for (let i = 0; i < name.length; i++) {
    const c = StringPrototypeCharCodeAt(name, i);
    if (c < 0x21 || c > 0x7e || StringPrototypeIncludes('()<>@,;:\\"/[]?={}', name[i])) return false;
  }
  return name !== "";
}

function protocolsOf(value) {
  const list = [];
  if (value !== undefined) {
    if (typeof value === "object" && value !== null && typeof value[SymbolIterator] === "function") {
      for (const name of value) ArrayPrototypePush(list, `${name}`);
    } else {
      ArrayPrototypePush(list, `${value}`);
    }
  }
  for (let i = 0; i < list.length; i++) {
    if (!isProtocol(list[i])) throw syntaxError(`WebSocket constructor: '${list[i]}' is not a subprotocol`);
    for (let j = 0; j < i; j++) {
      if (StringPrototypeToLowerCase(list[i]) === StringPrototypeToLowerCase(list[j])) {
        throw syntaxError(`WebSocket constructor: the subprotocol '${list[i]}' is there twice`);
      }
    }
  }
  return list;
}

// payloadOf is what send() sends.
function payloadOf(data) {
  let bytes = isBlob(data) ? blobBytes(data) : bytesOf(data);
  if (bytes !== undefined) return { __proto__: null, kind: BINARY, bytes: bytesCopy(bytes), code: 0 };
  bytes = utf8Encode(StringPrototypeToWellFormed(`${data}`));
  return { __proto__: null, kind: TEXT, bytes, code: 0 };
}

const isWireCode = (code) => code === 1000 || code === 1001 || code === 1002 || code === 1003 || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);

// What the constructor makes when it is called by this module.
let making;
let adopt, couple, isSocket, readyToBridge, bridge;
export { bridge, isSocket, readyToBridge };

export class WebSocket extends EventTarget {
  #state = CONNECTING;
  #url = "";
  #origin = "";
  #protocol = "";
  #binaryType = "blob";
  // Of a connection of the host.
  #operation = 0; // the handshake under way
  #handle = 0;
  #queue = [];    // to be sent
  #buffered = 0;
  #sending = false;
  #failure;       // why it fails
  // Of Workers: it was not made by the constructor.
  #worker = false;
  #accepted = true;
  // Of a worker's: the event that it belongs to.
  #event = native.currentEvent();
  // Of a pair.
  #peer;
  #inbox;
  // Of a response of a worker: it is the other end's in place of the program's.
  #bridged = false;
  #delivering = false;
  #closing;       // what close() was called with, until it has been sent

  constructor(url, protocols = undefined) {
    super();
    if (making !== undefined) {
      making = undefined;
      this.#state = OPEN;
      this.#worker = true;
      this.#accepted = false;
      this.#binaryType = "arraybuffer";
      return;
    }
    requireArguments(arguments.length, 1, "WebSocket constructor");
    this.#url = addressOf(`${url}`);
    this.#connect(protocolsOf(protocols));
  }

  get url() { return this.#url; }
  get readyState() { return this.#state; }
  get bufferedAmount() { return this.#buffered; }
  get extensions() { this.#state; return ""; }
  get protocol() { return this.#protocol; }
  get binaryType() { return this.#binaryType; }
  set binaryType(value) {
    const type = `${value}`;
    if (type === "blob" || type === "arraybuffer") this.#binaryType = type;
    else this.#state;
  }

  get onopen() { this.#state; return getHandler(this, "open"); }
  set onopen(value) { this.#state; setHandler(this, "open", value); }
  get onmessage() { this.#state; return getHandler(this, "message"); }
  set onmessage(value) { this.#state; setHandler(this, "message", value); }
  get onerror() { this.#state; return getHandler(this, "error"); }
  set onerror(value) { this.#state; setHandler(this, "error", value); }
  get onclose() { this.#state; return getHandler(this, "close"); }
  set onclose(value) { this.#state; setHandler(this, "close", value); }

  // accept begins to receive (Workers).
  accept() {
    if (!this.#worker) throw new TypeError("Websockets obtained from the 'new WebSocket()' constructor cannot call accept");
    if (this.#bridged) throw new TypeError("Can't accept() WebSocket that was already used in a response.");
    requireEvent(this.#event);
    if (this.#accepted) return;
    this.#accepted = true;
    if (this.#peer !== undefined) this.#schedule();
    else this.#receive();
  }

  send(data) {
    requireArguments(arguments.length, 1, "WebSocket.send");
    const payload = payloadOf(data);
    if (this.#state === CONNECTING) throw new DOMException("WebSocket.send: the WebSocket is not open yet", "InvalidStateError");
    if (!this.#accepted) throw new TypeError("You must call accept() on this WebSocket before sending messages.");
    if (this.#worker && this.#state !== OPEN) throw new TypeError("Can't call WebSocket send() after close().");
    requireEvent(this.#event);
    if (this.#peer !== undefined) {
      this.#peer.#take(payload);
      return;
    }
    this.#buffered += TypedArrayPrototypeGetByteLength(payload.bytes);
    if (this.#state !== OPEN) return; // as the standard has it: lost, and counted
    ArrayPrototypePush(this.#queue, payload);
    this.#flush();
  }

  close(code = undefined, reason = undefined) {
    if (code !== undefined) {
      code = +code;
      code = code === code ? (code > 65535 ? 65535 : code < 0 ? 0 : code - (code % 1)) : 0; // [Clamp] unsigned short
      if (this.#worker ? !isWireCode(code) : code !== 1000 && !(code >= 3000 && code <= 4999)) {
        if (this.#worker) throw new TypeError(`Invalid WebSocket close code: ${code}.`);
        throw new DOMException(`WebSocket.close: ${code} is neither 1000 nor between 3000 and 4999`, "InvalidAccessError");
      }
    }
    if (reason !== undefined) {
      if (code === undefined && this.#worker) throw new TypeError("If you specify a WebSocket close reason, you must also specify a code.");
      reason = utf8Encode(StringPrototypeToWellFormed(`${reason}`));
      if (TypedArrayPrototypeGetByteLength(reason) > 123) throw syntaxError("WebSocket.close: the reason is longer than 123 bytes");
      if (code === undefined && TypedArrayPrototypeGetByteLength(reason) > 0) code = 1000;
    }
    if (this.#state === CLOSING || this.#state === CLOSED) return;
    requireEvent(this.#event);
    if (!this.#accepted) throw new TypeError("You must call accept() on this WebSocket before sending messages.");
    if (this.#state === CONNECTING) {
      this.#state = CLOSING;
      cancel(this.#operation);
      this.#failure = new DOMException("The WebSocket was closed before it was open", "AbortError");
      start(SLEEP, NOW, () => this.#finish(BROKEN, false, ""), ignore);
      return;
    }
    this.#state = CLOSING;
    this.#closing = { __proto__: null, kind: END, bytes: reason ?? none, code: code ?? 0 };
    if (this.#peer !== undefined) {
      this.#peer.#take(this.#closing);
      return;
    }
    this.#flush();
  }

  // ---- a connection of the host

  #connect(protocols) {
    const headers = [];
    if (protocols.length > 0) ArrayPrototypePush(headers, ["sec-websocket-protocol", ArrayPrototypeJoin(protocols, ", ")]);
    const message = new Writer(128).str("GET").str(`http${StringPrototypeSlice(this.#url, 2)}`).pairs(headers).u8(2).u8(0).bytes(none).done();
    this.#operation = start(WEBSOCKET, message, (answer) => {
      this.#operation = 0;
      const { status, handle, protocol } = handshakeOf(answer);
      if (status !== 101) {
        if (handle !== 0) call(BODY_CANCEL, handleMessage(handle));
        this.#failure = new TypeError(`The server answered with the status ${status} in place of a WebSocket`);
        this.#finish(BROKEN, false, "");
        return;
      }
      this.#handle = handle;
      this.#protocol = protocol;
      this.#state = OPEN;
      fire(this, new Event("open"));
      this.#receive();
    }, (error) => {
      this.#operation = 0;
      this.#failure = error;
      this.#finish(BROKEN, false, "");
    });
  }

  #receive() {
    if (this.#state === CLOSED) return;
    start(WEBSOCKET_RECEIVE, handleMessage(this.#handle), (answer) => {
      const r = new Reader(answer);
      const kind = r.u8();
      const code = r.u32();
      const clean = r.u8() === 1;
      const bytes = r.bytes();
      if (kind === END) {
        this.#finish(code, clean, decode(bytes));
        return;
      }
      this.#message(kind, bytes);
      this.#receive();
    }, (error) => {
      this.#failure ??= error;
      this.#finish(BROKEN, false, "");
    });
  }

  // flush gives the host what waits, one batch at a time, and the closing after
  // all of it.
  #flush() {
    if (this.#sending || this.#state === CLOSED) return;
    const queue = this.#queue;
    if (queue.length === 0) {
      const closing = this.#closing;
      if (closing === undefined) return;
      this.#closing = undefined;
      start(WEBSOCKET_CLOSE, new Writer(160).u32(this.#handle).u32(closing.code).bytes(closing.bytes).done(), ignore, ignore);
      return;
    }
    let count = 0;
    let size = 0;
    while (count < queue.length && count < BATCH && (count === 0 || size < BATCH_BYTES)) size += TypedArrayPrototypeGetByteLength(queue[count++].bytes);
    const message = new Writer(size + 5 * count + 8).u32(this.#handle).u32(count);
    for (let i = 0; i < count; i++) message.u8(queue[i].kind).bytes(queue[i].bytes);
    const left = [];
    for (let i = count; i < queue.length; i++) ArrayPrototypePush(left, queue[i]);
    this.#queue = left;
    this.#sending = true;
    start(WEBSOCKET_SEND, message.done(), () => {
      this.#sending = false;
      this.#buffered -= size;
      this.#flush();
    }, (error) => {
      this.#sending = false;
      if (this.#state === CLOSED) return;
      this.#failure ??= error;
      this.#queue = [];
      this.#state = CLOSING;
      this.#closing = undefined;
      start(WEBSOCKET_CLOSE, new Writer(16).u32(this.#handle).u32(1001).bytes(none).done(), ignore, ignore);
    });
  }

  // ---- a pair

  #take(payload) {
    if (!this.#bridged) {
      ArrayPrototypePush(this.#inbox, payload);
      this.#schedule();
      return;
    }
    if (this.#state === CLOSED) return;
    if (payload.kind === END) this.#closing = payload;
    else ArrayPrototypePush(this.#queue, payload);
    this.#flush();
  }

  // schedule delivers what came from the other end, each in a task of its own.
  #schedule() {
    if (this.#delivering || !this.#accepted || this.#inbox.length === 0) return;
    this.#delivering = true;
    start(SLEEP, NOW, () => {
      this.#delivering = false;
      const payload = ArrayPrototypeShift(this.#inbox);
      if (payload.kind !== END) {
        this.#message(payload.kind, payload.bytes);
      } else if (this.#state !== CLOSED) {
        if (this.#state === OPEN) this.#peer.#take(payload); // closes the other end too
        this.#finish(payload.code === 0 ? NO_STATUS : payload.code, payload.broken !== true, decode(payload.bytes));
      }
      if (payload.over !== undefined) payload.over();
      this.#schedule();
    }, ignore);
  }

  // ---- the socket of a worker's response

  // pass has what arrives at the handle go to the peer, until it is closed.
  #pass(over) {
    start(WEBSOCKET_RECEIVE, handleMessage(this.#handle), (answer) => {
      const r = new Reader(answer);
      const kind = r.u8();
      const code = r.u32();
      const clean = r.u8() === 1;
      const payload = { __proto__: null, kind, bytes: r.bytes(), code, broken: !clean };
      if (kind === END) {
        this.#passed(payload, over);
        return;
      }
      this.#peer.#take(payload);
      this.#pass(over);
    }, () => this.#passed({ __proto__: null, kind: END, bytes: none, code: BROKEN, broken: true }, over));
  }

  #passed(payload, over) {
    this.#state = CLOSED;
    this.#queue = [];
    // The other end of a pair hears of it first, if it listens at all.
    const peer = this.#peer;
    const told = !peer.#bridged && peer.#accepted;
    if (told) payload.over = over;
    peer.#take(payload);
    if (!told) over();
  }

  // ---- events

  #message(kind, bytes) {
    if (this.#state !== OPEN) return;
    let data;
    if (kind === TEXT) data = decode(bytes);
    else if (this.#binaryType === "blob") data = adoptBlob(bytesCopy(bytes), "");
    else data = TypedArrayPrototypeGetBuffer(bytesCopy(bytes));
    if (this.#origin === "" && this.#url !== "") this.#origin = originOf(new URL(this.#url));
    fire(this, new MessageEvent("message", { __proto__: null, data, origin: this.#origin }));
  }

  #finish(code, clean, reason) {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#queue = [];
    this.#closing = undefined;
    const error = this.#failure;
    this.#failure = undefined;
    if (error !== undefined || !clean) {
      const message = error === undefined ? "The WebSocket's connection broke" : `${error.message}`;
      fire(this, new ErrorEvent("error", { __proto__: null, message, error }));
      clean = false;
      code = BROKEN;
      reason = "";
    }
    fire(this, new CloseEvent("close", { __proto__: null, code, wasClean: clean, reason }));
  }

  static {
    adopt = (handle, url, protocol) => {
      making = true;
      const socket = new WebSocket("");
      socket.#handle = handle;
      socket.#url = url;
      socket.#protocol = protocol;
      return socket;
    };
    isSocket = (value) => typeof value === "object" && value !== null && #state in value;
    // readyToBridge fails for what can't be the socket of a response.
    readyToBridge = (socket) => {
      if (!socket.#worker) throw new TypeError("Can't return WebSocket in a Response if it was created with `new WebSocket()`");
      if (socket.#bridged) throw new TypeError("Can't return WebSocket that was already used in a response.");
      if (socket.#accepted) throw new TypeError("Can't return WebSocket in a Response after calling accept().");
      requireEvent(socket.#event);
    };
    // bridge makes a socket the other end's of a handle of the host: over is
    // called when that is closed.
    bridge = (socket, handle, over) => {
      socket.#bridged = true;
      if (socket.#peer === undefined) {
        // A connection of the host: a pair leads from one to the other.
        const [near, far] = couple();
        near.#bridged = far.#bridged = true;
        near.#handle = handle;
        far.#handle = socket.#handle;
        let open = 2;
        const one = () => { if (--open === 0) over(); };
        near.#pass(one);
        far.#pass(one);
        return;
      }
      socket.#handle = handle;
      const waiting = socket.#inbox;
      socket.#inbox = [];
      for (let i = 0; i < waiting.length; i++) socket.#take(waiting[i]);
      socket.#pass(over);
    };
    couple = () => {
      making = true;
      const a = new WebSocket("");
      making = true;
      const b = new WebSocket("");
      a.#peer = b;
      b.#peer = a;
      a.#inbox = [];
      b.#inbox = [];
      return [a, b];
    };
  }
}
const states = {
  __proto__: null, CONNECTING, OPEN, CLOSING, CLOSED,
  READY_STATE_CONNECTING: CONNECTING, READY_STATE_OPEN: OPEN, READY_STATE_CLOSING: CLOSING, READY_STATE_CLOSED: CLOSED,
};
defineInterface(WebSocket, "WebSocket", states);

function fire(socket, event) {
  setTrusted(event);
  dispatch(socket, event);
}

// handshakeOf takes apart what of a handshake's answer is not the response's.
function handshakeOf(answer) {
  const r = new Reader(answer);
  const status = r.u32();
  r.str();
  const url = r.str();
  r.u8();
  const headers = r.pairs();
  r.u8();
  r.bytes();
  const handle = r.u32();
  let protocol = "";
  for (let i = 0; i < headers.length; i++) if (headers[i][0] === "sec-websocket-protocol") protocol = headers[i][1];
  return { __proto__: null, status, url, protocol, handle };
}

// WebSocketPair is two ends, by the names 0 and 1.
export class WebSocketPair {
  constructor() {
    const ends = couple();
    for (let i = 0; i < 2; i++) ObjectDefineProperty(this, i, { __proto__: null, value: ends[i], writable: true, enumerable: true, configurable: true });
  }
  *[SymbolIterator]() {
    yield this[0];
    yield this[1];
  }
}
defineInterface(WebSocketPair);

// ---- the socket of a response

// asksForSocket tells whether the message of a fetch has the header field
// "upgrade: websocket".
export function asksForSocket(message) {
  // Method and URL, then the header fields: only names are looked at.
  let at = skip(message, skip(message, 0));
  const count = u32At(message, at);
  at += 4;
  for (let i = 0; i < count; i++) {
    const length = u32At(message, at);
    const value = at + 4 + length;
    if (length === 7 && textIs(message, at + 4, "upgrade") && u32At(message, value) === 9 && textIs(message, value + 4, "websocket")) return true;
    at = skip(message, value);
  }
  return false;
}

const u32At = (bytes, at) => (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
const skip = (bytes, at) => at + 4 + u32At(bytes, at);

function textIs(bytes, at, text) {
  for (let i = 0; i < text.length; i++) {
    const c = bytes[at + i];
    if ((c >= 65 && c <= 90 ? c + 32 : c) !== StringPrototypeCharCodeAt(text, i)) return false;
  }
  return true;
}

// attachSocket gives a response the socket that its answer has the handle of.
export function attachSocket(response, answer) {
  const { status, url, protocol, handle } = handshakeOf(answer);
  if (status !== 101) return false;
  native.setSocket(response, adopt(handle, `ws${StringPrototypeSlice(url, StringPrototypeIndexOf(url, "http") + 4)}`, protocol));
  return true;
}

const { Response } = globalThis;
ObjectDefineProperty(Response.prototype, "webSocket", {
  __proto__: null, configurable: true, enumerable: true, set: undefined,
  get: ObjectGetOwnPropertyDescriptor({ get webSocket() { return native.socketOf(this) ?? null; } }, "webSocket").get,
});

expose({ WebSocket, WebSocketPair });
