// EventSource, after HTML 9.2, over fetch; and EventSource.from(stream), which
// Workers have. What comes after the first connection is bounded by what bounds
// all requests: each is a subrequest.
import { DOMException, TypeError } from "mayfly:intrinsics";
import native from "mayfly:native";
import { utf8Encode } from "mayfly:host";
import { ErrorEvent, Event, EventTarget, MessageEvent, dispatch, getHandler, setHandler, setTrusted } from "mayfly:event";
import { AbortController } from "mayfly:abort";
import { fetch } from "mayfly:fetch";
import { cancelReader, getReader, isReadableStream, read } from "mayfly:streams";
import { clearTimeout, setTimeout } from "mayfly:timers";
import { defineInterface, dictionary, expose, requireArguments } from "mayfly:interface";
import {
  ObjectGetOwnPropertyDescriptor, StringPrototypeCharCodeAt, StringPrototypeIncludes, StringPrototypeIndexOf, StringPrototypeSlice, StringPrototypeStartsWith,
  StringPrototypeToLowerCase, TypedArrayPrototypeGetTag, promiseThen, uncurryThis,
} from "mayfly:primordials";

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;

const RETRY = 3000; // milliseconds, until the server says otherwise
const MAX_RETRY = 2 ** 31 - 1; // that of timers
// The largest event: lines that are not done, and data that is not dispatched.
const MAX_EVENT = 16 << 20;

const { Headers, Response, TextDecoder, URL } = globalThis;
const getterOf = (prototype, name) => uncurryThis(ObjectGetOwnPropertyDescriptor(prototype, name).get);
const statusOf = getterOf(Response.prototype, "status");
const headersOf = getterOf(Response.prototype, "headers");
const bodyOf = getterOf(Response.prototype, "body");
const urlOf = getterOf(Response.prototype, "url");
const headerOf = uncurryThis(Headers.prototype.get);
const hrefOf = getterOf(URL.prototype, "href");
const originOf = getterOf(URL.prototype, "origin");
const decodeWith = uncurryThis(TextDecoder.prototype.decode);
const streaming = { __proto__: null, stream: true };

const ignore = () => {};

// A Parser takes an event stream apart (9.2.6): feed() is given text as it comes,
// and calls event(type, data, id) and retry(milliseconds).
class Parser {
  #event;
  #retry;
  #rest = "";      // a line without its end
  #scanned = 0;    // how much of that has no end of line
  #afterReturn = false; // the last line ended with CR: an LF belongs to it
  #type = "";
  #data = "";
  #id;             // of the event that is read, if it has one
  lastId = "";

  constructor(event, retry) {
    this.#event = event;
    this.#retry = retry;
  }

  feed(text) {
    if (this.#afterReturn && text !== "") {
      this.#afterReturn = false;
      if (text[0] === "\n") text = StringPrototypeSlice(text, 1);
    }
    text = this.#rest + text;
    let from = 0;
    for (;;) {
      const at = endOfLine(text, from > this.#scanned ? from : this.#scanned);
      if (at < 0) break;
      this.#line(StringPrototypeSlice(text, from, at));
      from = at + 1;
      if (text[at] === "\r") {
        if (from === text.length) this.#afterReturn = true;
        else if (text[from] === "\n") from++;
      }
    }
    this.#rest = StringPrototypeSlice(text, from);
    this.#scanned = this.#rest.length;
    if (this.#rest.length + this.#data.length > MAX_EVENT) throw new TypeError(`EventSource: an event is larger than ${MAX_EVENT} characters`);
  }

  #line(line) {
    if (line === "") {
      this.#dispatch();
      return;
    }
    const colon = StringPrototypeIndexOf(line, ":");
    if (colon === 0) return;
    const field = colon < 0 ? line : StringPrototypeSlice(line, 0, colon);
    let value = colon < 0 ? "" : StringPrototypeSlice(line, colon + 1);
    if (value[0] === " ") value = StringPrototypeSlice(value, 1);
    switch (field) {
      case "event":
        this.#type = value;
        break;
      case "data":
        this.#data += `${value}\n`;
        break;
      case "id":
        if (!StringPrototypeIncludes(value, "\0")) this.#id = value;
        break;
      case "retry": {
        let ms = 0;
        for (let i = 0; i < value.length; i++) {
          const c = StringPrototypeCharCodeAt(value, i);
          if (c < 0x30 || c > 0x39) return;
          ms = ms * 10 + c - 0x30;
        }
        if (value !== "") this.#retry(ms);
        break;
      }
    }
  }

  #dispatch() {
    if (this.#id !== undefined) this.lastId = this.#id;
    const type = this.#type;
    const data = this.#data;
    this.#type = this.#data = "";
    if (data === "") return;
    this.#event(type === "" ? "message" : type, StringPrototypeSlice(data, 0, -1), this.lastId);
  }
}

// endOfLine is the place of the next CR or LF, or -1.
function endOfLine(text, from) {
  const lf = StringPrototypeIndexOf(text, "\n", from);
  const cr = StringPrototypeIndexOf(lf < 0 ? text : StringPrototypeSlice(text, from, lf), "\r", lf < 0 ? from : 0);
  if (cr < 0) return lf;
  return lf < 0 ? cr : from + cr;
}

let making; // the stream that from() was given

export class EventSource extends EventTarget {
  #url = "";
  #origin = "";
  #withCredentials = false;
  #state = CONNECTING;
  #retry = RETRY;
  #parser;
  #lastId = "";
  #controller;
  #timer;
  #reader;
  #fetch = fetch;

  constructor(url, eventSourceInitDict = undefined) {
    super();
    if (making !== undefined) {
      const stream = making;
      making = undefined;
      this.#controller = new AbortController();
      this.#start(stream, () => this.#end());
      return;
    }
    requireArguments(arguments.length, 1, "EventSource constructor");
    const init = dictionary(eventSourceInitDict, "EventSource constructor: eventSourceInitDict");
    try {
      this.#url = hrefOf(new URL(`${url}`));
    } catch {
      throw new DOMException(`EventSource constructor: '${url}' is not a URL`, "SyntaxError");
    }
    this.#withCredentials = !!init.withCredentials;
    const via = init.fetcher; // a binding: Workers
    if (via !== undefined && via !== null) this.#fetch = (input, options) => via.fetch(input, options);
    this.#connect();
  }

  static from(stream) {
    requireArguments(arguments.length, 1, "EventSource.from");
    if (!isReadableStream(stream)) throw new TypeError("EventSource.from: the argument is not a ReadableStream");
    making = stream;
    return new EventSource("");
  }

  get url() { return this.#url; }
  get withCredentials() { return this.#withCredentials; }
  get readyState() { return this.#state; }
  get onopen() { this.#state; return getHandler(this, "open"); }
  set onopen(value) { this.#state; setHandler(this, "open", value); }
  get onmessage() { this.#state; return getHandler(this, "message"); }
  set onmessage(value) { this.#state; setHandler(this, "message", value); }
  get onerror() { this.#state; return getHandler(this, "error"); }
  set onerror(value) { this.#state; setHandler(this, "error", value); }

  close() {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    if (this.#reader !== undefined) promiseThen(cancelReader(this.#reader, undefined), ignore, ignore);
    this.#controller.abort();
  }

  #connect() {
    this.#timer = undefined;
    this.#controller = new AbortController();
    const headers = [["accept", "text/event-stream"], ["cache-control", "no-store"]];
    if (this.#lastId !== "") headers[2] = ["last-event-id", native.latin1Decode(utf8Encode(this.#lastId))];
    promiseThen(this.#fetch(this.#url, { __proto__: null, headers, cache: "no-store", signal: this.#controller.signal }), (response) => {
      if (this.#state === CLOSED) return;
      const status = statusOf(response);
      const type = headerOf(headersOf(response), "content-type") ?? "";
      if (status !== 200 || !isEventStream(type)) {
        this.#fail(new TypeError(status !== 200 ? `The server answered with the status ${status}` : `The response has the type '${type}', not text/event-stream`));
        return;
      }
      this.#origin = originOf(new URL(urlOf(response) || this.#url));
      const body = bodyOf(response);
      if (body === null) this.#reconnect();
      else this.#start(body, () => this.#reconnect());
    }, (error) => {
      if (this.#state === CLOSED) return;
      // What the policy refuses, or a limit, another try would not change.
      if (error?.cause?.code === "EACCES" || StringPrototypeStartsWith(`${error?.message}`, "Too many subrequests")) this.#fail(error);
      else this.#reconnect(error);
    });
  }

  // start reads a stream to its end.
  #start(stream, ended) {
    const decoder = new TextDecoder(); // which takes a byte order mark away
    const parser = new Parser((type, data, lastEventId) => {
      this.#lastId = lastEventId;
      if (this.#state !== CLOSED) fire(this, new MessageEvent(type, { __proto__: null, data, origin: this.#origin, lastEventId }));
    }, (ms) => { this.#retry = ms < MAX_RETRY ? ms : MAX_RETRY; });
    parser.lastId = this.#lastId;
    const reader = getReader(stream);
    this.#reader = reader;
    const next = () => {
      promiseThen(read(reader), ({ done, value }) => {
        if (this.#state === CLOSED) return;
        if (done) {
          this.#lastId = parser.lastId;
          this.#reader = undefined;
          ended();
          return;
        }
        try {
          if (TypedArrayPrototypeGetTag(value) !== "Uint8Array") throw new TypeError("EventSource: the stream has a chunk that is not a Uint8Array");
          parser.feed(decodeWith(decoder, value, streaming));
        } catch (error) {
          promiseThen(cancelReader(reader, error), ignore, ignore);
          this.#fail(error);
          return;
        }
        if (this.#state !== CLOSED) next();
      }, (error) => {
        this.#lastId = parser.lastId;
        this.#reader = undefined;
        if (this.#state !== CLOSED) ended(error);
      });
    };
    // The listeners are there when it opens.
    promiseThen(opened, () => {
      if (this.#state === CLOSED) return;
      this.#state = OPEN;
      fire(this, new Event("open"));
      if (this.#state !== CLOSED) next();
    });
  }

  #reconnect(error = undefined) {
    this.#state = CONNECTING;
    fire(this, errorEvent(error));
    if (this.#state !== CLOSED) this.#timer = setTimeout(() => this.#connect(), this.#retry);
  }

  #fail(error) {
    this.#state = CLOSED;
    this.#controller?.abort();
    fire(this, errorEvent(error));
  }

  // end is that of from(): there is nothing to connect to again.
  #end(error = undefined) {
    this.#state = CLOSED;
    fire(this, errorEvent(error));
  }
}
defineInterface(EventSource, "EventSource", { __proto__: null, CONNECTING, OPEN, CLOSED });

const opened = Promise.resolve();

function errorEvent(error) {
  return error === undefined ? new Event("error") : new ErrorEvent("error", { __proto__: null, message: `${error?.message ?? error}`, error });
}

function fire(source, event) {
  setTrusted(event);
  dispatch(source, event);
}

// isEventStream compares the essence of a MIME type.
function isEventStream(type) {
  const semicolon = StringPrototypeIndexOf(type, ";");
  let essence = StringPrototypeToLowerCase(semicolon < 0 ? type : StringPrototypeSlice(type, 0, semicolon));
  while (essence !== "" && (essence[essence.length - 1] === " " || essence[essence.length - 1] === "\t")) essence = StringPrototypeSlice(essence, 0, -1);
  return essence === "text/event-stream";
}

expose({ EventSource });
