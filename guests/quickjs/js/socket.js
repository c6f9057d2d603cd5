// TCP sockets, as Workers have them: connect() of cloudflare:sockets and of
// Fetchers, and what a handler connect gets.
// https://developers.cloudflare.com/workers/runtime-apis/tcp-sockets/
//
// The host has the connection: a handle to read from, which is read one chunk
// ahead so that its end is seen, and a handle to write to, whose writes are done
// when they have gone to the network.
import { Error, TypeError, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Reader, Writer, call, cancel, start } from "mayfly:host";
import { BODY_CANCEL, BODY_READ, BODY_WRITE, SOCKET, SOCKET_TLS } from "mayfly:op.gen";
import { bytesOf } from "mayfly:crypto-bytes";
import { defineInterface } from "mayfly:interface";
import { reasonMessage } from "mayfly:rpc-stream";
import {
  FunctionPrototypeCall, ObjectGetOwnPropertyDescriptor, StringPrototypeCharCodeAt, StringPrototypeIncludes, StringPrototypeToWellFormed, TypedArrayPrototypeGetByteLength, bytesSubarray, newPromise, promiseThen, uncurryThis,
} from "mayfly:primordials";
import { ReadableByteStreamController, ReadableStreamBYOBRequest, WritableStreamDefaultController, newReadable, newWritable } from "mayfly:streams";

const get = (prototype, name) => uncurryThis(ObjectGetOwnPropertyDescriptor(prototype, name).get);
const enqueue = uncurryThis(ReadableByteStreamController.prototype.enqueue);
const closeReadable = uncurryThis(ReadableByteStreamController.prototype.close);
const failReadable = uncurryThis(ReadableByteStreamController.prototype.error);
const byobRequestOf = get(ReadableByteStreamController.prototype, "byobRequest");
const respond = uncurryThis(ReadableStreamBYOBRequest.prototype.respond);
const failWritable = uncurryThis(WritableStreamDefaultController.prototype.error);

const { URL } = globalThis;
const hostnameOf = get(URL.prototype, "hostname");
const portOf = get(URL.prototype, "port");

// Transports, as the operation numbers them.
const TRANSPORTS = ["off", "on", "starttls"];
const STARTTLS = 2;

// Ways of a connection, as the operation numbers them.
const OUTBOUND = 0;
const STUB = 1;
const BINDING = 2;

// Ends of a body_write.
const LAST = 1;
const BROKEN = 2;

// PIECE is the most that is given to the host at once.
const PIECE = 1 << 20;

const none = new Uint8Array(0);
const ignore = () => {};
const otherRequest = "Cannot perform I/O on behalf of a different request. I/O objects (such as streams, request/response bodies, and others) created in the context of one request handler cannot be accessed from a different request's handler. This is a limitation of Cloudflare Workers which allows us to improve overall performance.";

// ---- one connection

// A Connection has the streams of a socket until they are over: opened is a promise
// of { readable, writable, remote }, the handles and the other end's address.
class Connection {
  constructor(opened, halfOpen) {
    this.event = native.currentEvent();
    this.halfOpen = halfOpen;
    this.handles = undefined;
    this.opened = opened;
    this.readOver = false;
    this.writeOver = false;
    this.operation = 0; // the read under way
    this.wanted = undefined; // ends the pull of that
    this.reading = undefined; // controllers
    this.writing = undefined;
    this.flushed = undefined; // called when nothing is left to be written
    this.closed = newPromise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    promiseThen(this.closed, undefined, ignore); // whoever asks is told
    const ready = promiseThen(opened, (handles) => { this.handles = handles; });
    promiseThen(ready, undefined, (error) => this.fail(error));
    this.readable = newReadable({
      __proto__: null,
      type: "bytes",
      start: (controller) => {
        this.reading = controller;
        return promiseThen(ready, undefined, ignore); // fail has told
      },
      pull: () => this.pull(),
      cancel: () => this.endRead(),
    }, { __proto__: null, highWaterMark: 1 });
    this.writable = newWritable({
      __proto__: null,
      start: (controller) => {
        this.writing = controller;
        return ready;
      },
      write: (chunk) => this.write(chunk),
      close: () => this.endWrite(LAST, none),
      abort: (reason) => this.endWrite(BROKEN, reasonMessage(reason)),
    }, { __proto__: null, highWaterMark: 1 });
  }

  // mine fails where the socket belongs to another event.
  mine() {
    if (this.event !== native.currentEvent()) throw new Error(otherRequest);
  }

  pull() {
    if (this.readOver) return undefined;
    return newPromise((resolve) => {
      this.wanted = resolve;
      this.operation = start(BODY_READ, new Writer(4).u32(this.handles.readable).done(), (answer) => {
        this.operation = 0;
        const r = new Reader(answer);
        if (r.u8() === 1) this.ended();
        else enqueue(this.reading, r.bytes());
        this.wanted = undefined;
        resolve(undefined);
      }, (error) => {
        this.operation = 0;
        this.fail(error);
      });
    });
  }

  // ended is the end of what comes.
  ended() {
    this.finishRead();
    if (this.halfOpen || this.writeOver) {
      this.settle();
      return;
    }
    // As if the program had closed its side, once what it wrote has gone.
    promiseThen(this.flush(), () => {
      if (this.writeOver) return;
      failWritable(this.writing, new TypeError("The other end of the connection has closed it."));
      this.endWrite(LAST, none);
    }, ignore);
  }

  // finishRead ends the readable side without an error.
  finishRead() {
    if (this.readOver) return;
    this.readOver = true;
    closeReadable(this.reading);
    const request = byobRequestOf(this.reading);
    if (request !== null) respond(request, 0);
    this.stopRead();
  }

  stopRead() {
    if (this.operation !== 0) cancel(this.operation);
    this.operation = 0;
    const { wanted } = this;
    this.wanted = undefined;
    if (wanted !== undefined) wanted(undefined);
  }

  // endRead gives up what comes.
  endRead() {
    if (this.readOver) return;
    this.readOver = true;
    this.stopRead();
    if (this.handles !== undefined) call(BODY_CANCEL, new Writer(4).u32(this.handles.readable).done());
    this.settle();
  }

  write(chunk) {
    this.mine();
    const bytes = bytesOf(chunk);
    if (bytes === undefined) {
      throw new TypeError(typeof chunk === "string"
        ? "This WritableStream only supports writing byte types: encode the string, as TextEncoder does."
        : "This WritableStream only supports writing byte types.");
    }
    const length = TypedArrayPrototypeGetByteLength(bytes);
    return newPromise((resolve, reject) => {
      const piece = (from) => {
        const to = from + PIECE < length ? from + PIECE : length;
        const part = from === 0 && to === length ? bytes : bytesSubarray(bytes, from, to);
        this.send(0, part, () => {
          if (to < length) {
            piece(to);
            return;
          }
          resolve(undefined);
          if (this.flushed !== undefined && this.idle()) this.flushed();
        }, (error) => {
          reject(error);
          this.fail(error);
        });
      };
      piece(0);
    });
  }

  send(end, bytes, done, failed) {
    const message = new Writer(TypedArrayPrototypeGetByteLength(bytes) + 16).u32(this.handles.writable).u8(end).bytes(bytes).done();
    start(BODY_WRITE, message, done, failed);
  }

  // endWrite is the last that is written.
  endWrite(end, bytes) {
    if (this.writeOver) return undefined;
    this.writeOver = true;
    if (this.handles === undefined) {
      this.settle();
      return undefined;
    }
    return newPromise((resolve) => {
      const done = () => {
        resolve(undefined);
        this.settle();
      };
      this.send(end, bytes, done, done);
    });
  }

  // idle says that the one write under way is the last that the stream has.
  idle() { return this.writable._writeRequests.length === 0; }

  // flush answers a promise that what was written has gone. The streams' library
  // has the queue.
  flush() {
    return newPromise((resolve) => {
      if (this.writeOver || (this.idle() && this.writable._inFlightWriteRequest === undefined)) {
        resolve(undefined);
        return;
      }
      const { flushed } = this;
      this.flushed = () => {
        this.flushed = undefined;
        resolve(undefined);
        if (flushed !== undefined) flushed();
      };
    });
  }

  // close ends both sides, after what was written.
  close(reason) {
    return promiseThen(promiseThen(this.opened, () => this.flush()), () => {
      this.detach(reason);
      return promiseThen(newPromise((resolve) => resolve(this.endWrite(LAST, none))), () => {
        this.resolve(undefined);
      });
    });
  }

  // detach has the streams be of no use any more.
  detach(reason) {
    if (!this.readOver) {
      this.finishRead();
      if (this.handles !== undefined) call(BODY_CANCEL, new Writer(4).u32(this.handles.readable).done());
    }
    failWritable(this.writing, new TypeError(reason));
  }

  // leave gives the streams up whose handles become another socket's.
  leave() {
    this.finishRead();
    this.writeOver = true;
    failWritable(this.writing, new TypeError("This socket goes on with TLS: use the one that startTls() answered."));
    this.resolve(undefined);
  }

  settle() {
    if (this.readOver && this.writeOver) this.resolve(undefined);
  }

  // fail breaks both sides.
  fail(error) {
    this.reject(error);
    if (!this.readOver) {
      this.readOver = true;
      failReadable(this.reading, error);
      this.stopRead();
      if (this.handles !== undefined) call(BODY_CANCEL, new Writer(4).u32(this.handles.readable).done());
    }
    if (this.handles === undefined) this.writeOver = true;
    else this.endWrite(BROKEN, reasonMessage(error));
    failWritable(this.writing, error);
    if (this.flushed !== undefined) this.flushed();
  }
}

// ---- the class

let making;
let acceptedOf;

export class Socket {
  #connection;
  #secure;
  #host;
  #opened;
  #closing = false;
  #upgraded = false;

  constructor() {
    if (making === undefined) throw new TypeError("Illegal constructor");
    const { connection, secure, host } = making;
    making = undefined;
    this.#connection = connection;
    this.#secure = secure;
    this.#host = host;
    this.#opened = promiseThen(connection.opened, ({ remote }) => ({ remoteAddress: remote, localAddress: undefined }));
    promiseThen(this.#opened, undefined, ignore);
  }

  get readable() { return this.#connection.readable; }
  get writable() { return this.#connection.writable; }
  get opened() { return this.#opened; }
  get closed() { return this.#connection.closed; }
  get upgraded() { return this.#upgraded; }
  get secureTransport() { return TRANSPORTS[this.#secure]; }

  close() {
    const connection = this.#connection;
    connection.mine();
    if (!this.#closing) {
      this.#closing = true;
      promiseThen(connection.close("This socket was closed."), undefined, ignore); // closed tells
    }
    return connection.closed;
  }

  startTls(options = undefined) {
    const connection = this.#connection;
    connection.mine();
    if (this.#secure === 1) throw new TypeError("Cannot startTls on a TLS socket.");
    if (this.#upgraded) throw new TypeError("startTls can only be called once.");
    if (this.#secure !== STARTTLS) throw new TypeError("The `secureTransport` socket option must be set to 'starttls' for startTls to be used.");
    if (this.#closing) throw new TypeError("The connection was closed before startTls could be started.");
    if (options !== undefined && options !== null && typeof options !== "object") throw new TypeError("Incorrect type for the 'options' argument of startTls: it is not an object.");
    const expected = options?.expectedServerHostname;
    const name = expected === undefined ? this.#host : StringPrototypeToWellFormed(`${expected}`);
    this.#upgraded = true;
    const handles = promiseThen(promiseThen(connection.opened, () => connection.flush()), () => {
      const { readable } = connection.handles;
      if (connection.readOver || connection.writeOver) throw new TypeError("The connection was closed before startTls could be started.");
      connection.leave();
      return connecting(SOCKET_TLS, new Writer(64).u32(readable).str(name).done());
    });
    return make(handles, 1, this.#host, connection.halfOpen);
  }

  static {
    acceptedOf = (socket) => socket.#connection;
  }
}
defineInterface(Socket);

function make(opened, secure, host, halfOpen) {
  making = { __proto__: null, connection: new Connection(opened, halfOpen), secure, host };
  return new Socket();
}

// connecting begins an operation that answers the handles of a connection.
const connecting = (operation, message) => newPromise((resolve, reject) => {
  start(operation, message, (answer) => {
    const r = new Reader(answer);
    resolve({ __proto__: null, readable: r.u32(), writable: r.u32(), remote: r.str() });
  }, reject);
});

// ---- connect

// isHost tells what a name or an address may look like, with a port.
function isHost(text) {
  for (let i = 0; i < text.length; i++) {
    const c = StringPrototypeCharCodeAt(text, i) | 0x20;
    if (!(c >= 0x61 && c <= 0x7a) && !StringPrototypeIncludes("0123456789-._[]:", text[i])) return false;
  }
  return text.length <= 255;
}

// addressOf reads an address: "host:port", or { hostname, port }.
function addressOf(address) {
  let host;
  let port;
  if (typeof address === "object" && address !== null) {
    const { hostname, port: number } = address;
    if (hostname === undefined) throw new TypeError("Incorrect type for the 'hostname' field on 'SocketAddress': the provided value is not of type 'string'.");
    if (number === undefined) throw new TypeError("Incorrect type for the 'port' field on 'SocketAddress': the provided value is not of type 'number'.");
    host = `${hostname}`;
    port = +number;
    if (!(port >= 0 && port <= 65535) || port % 1 !== 0) throw new TypeError("The value cannot be converted because it is not an integer between 0 and 65535.");
  } else {
    let url;
    try {
      url = new URL(`fake://${address}`);
    } catch {
      throw new TypeError("Specified address could not be parsed.");
    }
    host = hostnameOf(url);
    port = portOf(url);
    if (host === "") throw new TypeError("Specified address is missing hostname.");
    if (port === "") throw new TypeError("Specified address is missing port.");
  }
  const text = `${host}:${port}`;
  if (host === "" || !isHost(text)) throw new TypeError("Specified address is empty string, contains unsupported characters or is too long.");
  return { __proto__: null, text, host };
}

function connectBy(way, handle, address, options) {
  const { text, host } = addressOf(address);
  let secure = 0;
  let halfOpen = false;
  if (options !== undefined && options !== null) {
    if (typeof options !== "object" && typeof options !== "function") throw new TypeError("Incorrect type for the 'options' argument of connect: it is not an object.");
    const { secureTransport, allowHalfOpen } = options;
    if (secureTransport !== undefined) {
      const wanted = `${secureTransport}`;
      secure = wanted === "off" ? 0 : wanted === "on" ? 1 : wanted === "starttls" ? STARTTLS : -1;
      if (secure < 0) throw new TypeError(`Unsupported value in secureTransport socket option: ${wanted}`);
    }
    halfOpen = !!allowHalfOpen;
  }
  return make(connecting(SOCKET, new Writer(64).u8(way).u32(handle).u8(secure).str(text).done()), secure, host, halfOpen);
}

// connect is that of cloudflare:sockets.
export const connect = (address, options = undefined) => connectBy(OUTBOUND, 0, address, options);
// connectStub and connectBinding are those of Fetchers.
export const connectStub = (handle, address, options) => connectBy(STUB, handle, address, options);
export const connectBinding = (handle, address, options) => connectBy(BINDING, handle, address, options);

// serveSocket has a handler use the end of a connection that a worker's event got:
// handle(socket), whose promise is the end of it. over() is called then, or
// failed(error).
export function serveSocket(remote, secure, readable, writable, handle, over, failed) {
  const socket = make(newPromise((resolve) => resolve({ __proto__: null, readable, writable, remote })), secure, remote, true);
  const connection = acceptedOf(socket);
  // What the message brought is there at once.
  connection.handles = { __proto__: null, readable, writable, remote };
  const end = (broken) => {
    if (broken !== undefined) connection.fail(broken);
    return newPromise((resolve) => resolve(broken === undefined ? connection.close("The handler of the connection is over.") : undefined));
  };
  promiseThen(newPromise((resolve) => resolve(FunctionPrototypeCall(handle, undefined, socket))), () => {
    promiseThen(end(undefined), over, over);
  }, (error) => {
    failed(error);
    promiseThen(end(error), over, over);
  });
}
