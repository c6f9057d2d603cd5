// A worker: its main module's exports, and the events that they handle. Several
// events may be under way; each is known to the host by its number, and is over
// when it was answered and nothing that it began matters any more.
import { DOMException, Error, Map, TypeError, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Reader, Writer, call, start, utf8Decode } from "mayfly:host";
import { ANSWER, BODY_WRITE, EVENT_DONE } from "mayfly:op.gen";
import { cancelReader, getReader, read } from "mayfly:streams";
import { takeHandle } from "mayfly:fetch";
import { signalAbort } from "mayfly:abort";
import { bytesOf } from "mayfly:crypto";
import { environment } from "mayfly:worker-env";
import { newContext } from "mayfly:worker-context";
import { isEntrypointClass } from "mayfly:worker-entrypoint";
import { sendSocket } from "mayfly:worker-socket";
import {
  JSONParse, MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet, ObjectHasOwn, PromiseResolve, ReflectApply, ReflectConstruct,
  TypedArrayPrototypeGetByteLength, bytesSubarray, promiseThen,
} from "mayfly:primordials";

// Kinds of events, as the event dispatch has them.
const FETCH = 1;
const CALL = 2;
const SCHEDULED = 3;
const TAIL = 4;
const ABORT = 5;
const RELEASE = 6;
const END = 7;

// Origins of failures.
const HANDLER = 0;
const REJECTION = 2;

let exported; // the main module's namespace
const events = new Map();

export function serve(namespace) { exported = namespace; }

// Answering calls is another module's: it is told here how.
let calls = { __proto__: null, call: undefined, release() {} };
export function setCalls(handlers) { calls = handlers; }

// What else ends with an event is another module's, too.
let ended = () => {};
export function connectEnd(end) { ended = end; }

// eventOf is an event that is under way, or undefined.
export const eventOf = (id) => MapPrototypeGet(events, id);
export const currentEvent = () => MapPrototypeGet(events, native.currentEvent());

export function dispatch(id, kind, message) {
  switch (kind) {
    case ABORT: return abort(id, message);
    case RELEASE: return calls.release(message);
    case END: return end(id);
  }
  // waits counts what keeps the event from being over: its answer, what
  // waitUntil waits for, bodies that are being written, exports that are held.
  const event = { __proto__: null, id, waits: 1, after: 0, answered: false, request: undefined, props: undefined, propsAt: 0, context: undefined };
  MapPrototypeSet(events, id, event);
  try {
    switch (kind) {
      case FETCH: return handleFetch(event, message);
      case CALL: return calls.call(event, message);
      case SCHEDULED: return handleScheduled(event, message);
      case TAIL: return handleTail(event, message);
    }
  } catch (error) {
    fail(event, error);
  }
}

// ---- the life of an event

// wait has the event go on until done is called.
export function wait(event) { event.waits++; }

export function done(event) {
  if (--event.waits !== 0 || MapPrototypeGet(events, event.id) !== event) return;
  MapPrototypeDelete(events, event.id);
  call(EVENT_DONE, new Writer(4).u32(event.id).done());
  native.endOperations(event.id);
  ended(event.id);
}

// waitUntil has the event go on until a promise has settled.
export function waitUntil(event, promise) {
  event.waits++;
  event.after++;
  promiseThen(PromiseResolve(promise), () => {
    event.after--;
    done(event);
  }, (error) => {
    event.after--;
    native.failEvent(event.id, REJECTION, error);
    done(event);
  });
}

// answered says that the event has its answer.
export function answered(event) {
  if (event.answered) return;
  event.answered = true;
  done(event);
}

export function fail(event, error) {
  if (event.answered) return;
  native.failEvent(event.id, HANDLER, error);
  answered(event);
}

function abort(id, message) {
  const event = MapPrototypeGet(events, id);
  if (event === undefined) return;
  if (event.request !== undefined) {
    const signal = native.signalOf(event.request);
    if (signal !== undefined) signalAbort(signal, new DOMException(new Reader(message).str(), "AbortError"));
  }
  // Nobody waits for the answer: what waitUntil waits for may go on.
  if (!event.answered && event.after === 0) {
    event.answered = true;
    event.waits = 1;
    done(event);
  }
}

function end(id) {
  MapPrototypeDelete(events, id);
  native.endOperations(id);
  ended(id);
}

// ---- entrypoints

// receiver finds an entrypoint's object: what a default or named export is, or
// an instance of it made for this event.
export function receiver(event, name) {
  const isDefault = name === "" || name === "default";
  const value = isDefault ? exported.default : ObjectHasOwn(exported, name) ? exported[name] : undefined;
  if (typeof value === "function" && isEntrypointClass(value)) {
    return { __proto__: null, object: ReflectConstruct(value, [contextOf(event), environment()]), isClass: true };
  }
  if (typeof value === "object" && value !== null) return { __proto__: null, object: value, isClass: false };
  throw new Error(isDefault ? "Worker has no default entrypoint." : `Worker has no such entrypoint: ${name}`);
}

export function contextOf(event) {
  return event.context ??= newContext(event);
}

// invoke calls a handler: a method of a class's instance gets its argument, a
// function of a plain object the environment and the context too.
function invoke(event, target, name, argument) {
  const method = target.object[name];
  if (typeof method !== "function") throw new TypeError(`Handler does not export a ${name}() function.`);
  return ReflectApply(method, target.object, target.isClass ? [argument] : [argument, environment(), contextOf(event)]);
}

// skipValue passes over a value in a message.
const skipValue = (message, at) => {
  const bytes = at + 4 + u32(message, at);
  return bytes + 4 + 5 * u32(message, bytes);
};
const u32 = (bytes, at) => (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;

// begin reads what all messages begin with: the entrypoint's name and its props.
// It answers where the rest is.
function begin(event, message) {
  const length = u32(message, 0);
  event.entrypoint = length === 0 ? "" : utf8Decode(bytesSubarray(message, 4, 4 + length));
  const at = 4 + length;
  const rest = skipValue(message, at);
  if (rest !== at + 8) {
    event.props = message;
    event.propsAt = at;
  }
  return rest;
}

// ---- fetch

const resolved = "Incorrect type for Promise: the Promise did not resolve to 'Response'.";

function handleFetch(event, message) {
  const at = begin(event, message);
  const target = receiver(event, event.entrypoint);
  const request = event.request = native.requestOf(message, at);
  const answer = invoke(event, target, "fetch", request);
  if (native.isResponse(answer)) {
    respond(event, answer);
    return;
  }
  promiseThen(promiseThen(PromiseResolve(answer), (response) => {
    if (!native.isResponse(response)) throw new TypeError(resolved);
    respond(event, response);
  }), undefined, (error) => fail(event, error));
}

function respond(event, response) {
  if (event.answered) return; // nobody waits any more
  if (sendSocket(event, response)) return;
  const stream = native.streamOf(response);
  const passed = stream === undefined ? 0 : takeHandle(stream);
  const sent = native.respond(event.id, response, passed);
  if (typeof sent !== "number") {
    wait(event);
    writeStream(sent[0], sent[1], () => done(event));
  }
  answered(event);
}

// writeStream writes a stream to a handle of the host; over is called when that
// is done, or given up.
const LAST = 1;
const BROKEN = 2;
const none = new Uint8Array(0);
const ignore = () => {};
const writeMessage = (handle, end, bytes) => new Writer(TypedArrayPrototypeGetByteLength(bytes) + 16).u32(handle).u8(end).bytes(bytes).done();

export function writeStream(handle, stream, over) {
  let reader;
  const broken = () => { start(BODY_WRITE, writeMessage(handle, BROKEN, none), over, over); };
  try {
    reader = getReader(stream);
  } catch {
    broken();
    return;
  }
  const next = () => promiseThen(read(reader), (result) => {
    if (result.done) {
      start(BODY_WRITE, writeMessage(handle, LAST, none), over, over);
      return;
    }
    const bytes = typeof result.value === "string" ? undefined : bytesOf(result.value);
    if (bytes === undefined) {
      promiseThen(cancelReader(reader, new TypeError("This TransformStream is being used as a byte stream, but received an object of non-ArrayBuffer/ArrayBufferView type on its writable side.")), ignore, ignore);
      broken();
      return;
    }
    start(BODY_WRITE, writeMessage(handle, 0, bytes), next, (error) => {
      promiseThen(cancelReader(reader, error), over, over);
    });
  }, broken);
  next();
}

// ---- times and traces

function handleScheduled(event, message) {
  const r = new Reader(bytesSubarray(message, begin(event, message), TypedArrayPrototypeGetByteLength(message)));
  const controller = { scheduledTime: r.f64(), cron: r.str(), type: "scheduled", noRetry() {} };
  simple(event, "scheduled", controller);
}

function handleTail(event, message) {
  const r = new Reader(bytesSubarray(message, begin(event, message), TypedArrayPrototypeGetByteLength(message)));
  simple(event, "tail", JSONParse(utf8Decode(r.bytes())));
}

function simple(event, name, argument) {
  const result = invoke(event, receiver(event, event.entrypoint), name, argument);
  promiseThen(PromiseResolve(result), () => {
    call(ANSWER, new Writer(16).u32(event.id).bytes(none).u32(0).done());
    answered(event);
  }, (error) => fail(event, error));
}


