// A worker: its main module's exports, and the events that they handle. Several
// events may be under way; each is known to the host by its number, and is over
// when it was answered and nothing that it began matters any more.
import { DOMException, Error, TypeError, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Reader, Writer, call, utf8Decode } from "mayfly:host";
import { ANSWER } from "mayfly:op.gen";
import { signalAbort } from "mayfly:abort";
import { environment } from "mayfly:worker-env";
import { newContext } from "mayfly:worker-context";
import { isEntrypointClass } from "mayfly:worker-entrypoint";
import { WorkerEvent, begin, currentEvent, eventOf, forEachEvent, remain, remove } from "mayfly:worker-events";
import { hasListeners, listenedFetch, listenedScheduled } from "mayfly:worker-listener";
import { connectResponse, sendResponse } from "mayfly:worker-response";
import { log } from "mayfly:worker-log";
import { setLogger } from "mayfly:console";
import { serveSocket } from "mayfly:socket";
import { forgetTicks } from "mayfly:process";
import { forgetTimersOf } from "mayfly:timers";
import { forgetBodiesOf } from "mayfly:fetch";
import {
  JSONParse, ObjectHasOwn, PromiseResolve, ReflectConstruct, TypedArrayPrototypeGetByteLength,
  bytesSubarray, promiseThen,
} from "mayfly:primordials";

// Kinds of events, as the event dispatch has them.
const CALL = 2;
const SCHEDULED = 3;
const TAIL = 4;
const ABORT = 5;
const RELEASE = 6;
const END = 7;
const CONNECT = 8;

// Origins of failures, and what may be added.
const HANDLER = 0;
const UNCAUGHT = 1;
const REJECTION = 2;
const PASS_THROUGH = 128;

let exported; // the main module's namespace
let defaultTarget; // its default export's receiver, if that is an object
let DefaultClass; // its default export, if that is an entrypoint's class

export function serve(namespace) {
  exported = namespace;
  const value = exported.default;
  if (typeof value === "object" && value !== null) defaultTarget = { __proto__: null, object: value, isClass: false };
  else if (typeof value === "function" && isEntrypointClass(value)) DefaultClass = value;
  setLogger(log);
}

// Answering calls is another module's: it is told here how.
let calls = { __proto__: null, call: undefined, method: undefined, release() {} };
export function setCalls(handlers) { calls = handlers; }

// So is what has to be done when an event is over: ended(id, held) is told
// whether others still hold what it gave out.
let ended = () => {};
export function connectEnd(f) { ended = f; }

export { currentEvent, eventOf };

export function dispatch(id, kind, message) {
  switch (kind) {
    case ABORT: return abort(id, message);
    case RELEASE: return calls.release(message);
    case END: return end(id);
  }
  const event = new WorkerEvent(id, undefined, undefined);
  begin(event);
  try {
    switch (kind) {
      case CALL: calls.call(event, message); break;
      case SCHEDULED: handleScheduled(event, message); break;
      case TAIL: handleTail(event, message); break;
      case CONNECT: handleConnect(event, message); break;
    }
  } catch (error) {
    fail(event, error);
  }
  remain(event);
}

// handleCall answers a call of a method of the default entrypoint.
export function handleCall(id, name, args) {
  const event = new WorkerEvent(id, undefined, undefined);
  begin(event);
  try {
    calls.method(event, name, args);
  } catch (error) {
    fail(event, error);
  }
  remain(event);
}

// ---- the life of an event

// wait has the event go on until done is called.
export function wait(event) { event.waits++; }

export function done(event) {
  if (--event.waits === 0) finish(event);
}

function finish(event) {
  if (!remove(event)) return;
  native.eventDone(event.id);
  leave(event);
}

// leave lets go of what is kept for an event that is over.
function leave(event) {
  event.context = undefined; // a cycle less to collect
  if (event.timers !== undefined) forgetTimersOf(event);
  if (event.bodies !== undefined) forgetBodiesOf(event);
  ended(event.id, event.held > 0);
}

// hold counts what others hold of what the event gave out.
export function hold(event, difference) {
  event.held += difference;
  if (difference > 0) wait(event);
  else done(event);
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

// answer answers a call with a value.
export function answer(event, value) {
  if (native.answerPlain(event.id, value, event.waits === 1)) {
    event.answered = true;
    event.waits = 0;
    if (remove(event)) leave(event);
  } else {
    answered(event);
  }
}

// answered says that the event has its answer.
export function answered(event) {
  if (event.answered) return;
  event.answered = true;
  done(event);
}

export function fail(event, error) {
  if (event.answered) return;
  native.failEvent(event.id, event.passThrough ? HANDLER | PASS_THROUGH : HANDLER, error);
  answered(event);
}

function abort(id, message) {
  const event = eventOf(id);
  if (event === undefined) return;
  if (event.request !== undefined) {
    const signal = native.signalOf(event.request);
    if (signal !== undefined) signalAbort(signal, new DOMException(new Reader(message).str(), "AbortError"));
  }
  // Nobody waits for the answer: what waitUntil waits for may go on.
  if (event.answered || eventOf(id) !== event) return;
  event.answered = true;
  event.waits = event.after;
  if (event.waits === 0) finish(event);
}

// end ends an event that the host has ended.
function end(id) {
  const event = eventOf(id);
  if (event === undefined) return;
  forgetTicks();
  remove(event);
  native.endEvent(id);
  leave(event);
  // Calls that were part of it end with it; the host tells who made them.
  forEachEvent((call) => { if (call.within === id) end(call.id); });
}

const hung = "The Workers runtime canceled this request because it detected that your Worker's code had hung and would never generate a response. Refer to: https://developers.cloudflare.com/workers/observability/errors/";

// idle is called when events are under way and nothing is that could bring them
// forward, but for what others may call of what they hold.
export function idle() {
  forEachEvent((event) => {
    if (event.held > 0) return;
    if (!event.answered) fail(event, new Error(hung));
    finish(event);
  });
}

// ---- entrypoints

// receiver finds an entrypoint's object: what a default or named export is, or
// an instance of it made for this event.
export function receiver(event, name) {
  const isDefault = name === undefined || name === "" || name === "default";
  if (isDefault && defaultTarget !== undefined) return defaultTarget;
  if (isDefault && DefaultClass !== undefined) return { __proto__: null, object: new DefaultClass(contextOf(event), environment()), isClass: true };
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

// Handlers of a class's instance get their argument, those of a plain object the
// environment and the context too.
const noHandler = (name) => new TypeError(`Handler does not export a ${name}() function.`);

// skipValue passes over a value in a message.
const skipValue = (message, at) => {
  const bytes = at + 4 + u32(message, at);
  return bytes + 4 + 5 * u32(message, bytes);
};
const u32 = (bytes, at) => (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;

// readBegin reads what messages begin with: the entrypoint's name and its props. It
// answers a reader of the rest.
function readBegin(event, message) {
  const length = u32(message, 0);
  event.entrypoint = length === 0 ? "" : utf8Decode(bytesSubarray(message, 4, 4 + length));
  const at = 4 + length;
  const rest = skipValue(message, at);
  if (rest !== at + 8) {
    event.props = message;
    event.propsAt = at;
  }
  return new Reader(bytesSubarray(message, rest, TypedArrayPrototypeGetByteLength(message)));
}

// ---- fetch

const unresolved = "Incorrect type for Promise: the Promise did not resolve to 'Response'.";

export function handleFetch(id, request, name, props) {
  const event = new WorkerEvent(id, request, props);
  begin(event);
  try {
    if (name === undefined && defaultTarget === undefined && hasListeners("fetch") && exported.default === undefined) {
      take(event, listenedFetch(event, request));
    } else {
      const target = receiver(event, name);
      const { object } = target;
      if (typeof object.fetch !== "function") throw noHandler("fetch");
      take(event, target.isClass ? object.fetch(request) : object.fetch(request, environment(), event.context = newContext(event)));
    }
  } catch (error) {
    fail(event, error);
  }
  remain(event);
}

// take answers the event with what its handler answered.
function take(event, answer) {
  // What is left of most events is their answer, and that is plain.
  const last = event.waits === 1;
  const sent = native.respond(event.id, answer, event.request, 0, last);
  if (sent === true) {
    event.answered = true;
    event.waits--;
    if (last && remove(event)) leave(event);
    return;
  }
  if (sent !== false) {
    sendResponse(event, unwrapped(answer), sent);
    answered(event);
    return;
  }
  promiseThen(PromiseResolve(answer), (response) => {
    if (event.answered) return; // nobody waits any more
    try {
      const sent = native.respond(event.id, response, event.request, 0, false);
      if (sent === false) throw new TypeError(unresolved);
      if (sent !== true) sendResponse(event, response, sent);
      answered(event);
    } catch (error) {
      fail(event, error);
    }
  }, (error) => fail(event, error));
}

// unwrapped is what a promise is fulfilled with.
const unwrapped = (answer) => native.promiseDetails(answer)?.[1] ?? answer;

connectResponse({
  __proto__: null, wait, done,
  broken(event, error) { native.failEvent(event.id, UNCAUGHT, error); },
});

// ---- times and traces

function handleScheduled(event, message) {
  const r = readBegin(event, message);
  const controller = { scheduledTime: r.f64(), cron: r.str(), type: "scheduled", noRetry() {} };
  if (event.entrypoint === "" && defaultTarget === undefined && hasListeners("scheduled") && exported.default === undefined) {
    listenedScheduled(event, controller);
    simple(event, undefined);
    return;
  }
  const { object, isClass } = receiver(event, event.entrypoint);
  if (typeof object.scheduled !== "function") throw noHandler("scheduled");
  simple(event, isClass ? object.scheduled(controller) : object.scheduled(controller, environment(), contextOf(event)));
}

function handleTail(event, message) {
  const items = JSONParse(utf8Decode(readBegin(event, message).bytes()));
  const { object, isClass } = receiver(event, event.entrypoint);
  if (typeof object.tail !== "function") throw noHandler("tail");
  simple(event, isClass ? object.tail(items) : object.tail(items, environment(), contextOf(event)));
}

// handleConnect gives a handler the end of a connection. That it has it is the
// answer; the event is over when the handler is.
function handleConnect(event, message) {
  const r = readBegin(event, message);
  const { object, isClass } = receiver(event, event.entrypoint);
  if (typeof object.connect !== "function") throw new TypeError("Incoming CONNECT on a worker not supported");
  wait(event);
  serveSocket(r.str(), r.u8(), r.u32(), r.u32(),
    (socket) => (isClass ? object.connect(socket) : object.connect(socket, environment(), contextOf(event))),
    () => done(event),
    (error) => native.failEvent(event.id, UNCAUGHT, error));
  answerNothing(event);
}

const none = new Uint8Array(0);

function answerNothing(event) {
  call(ANSWER, new Writer(16).u32(event.id).bytes(none).u32(0).done());
  answered(event);
}

function simple(event, result) {
  promiseThen(PromiseResolve(result), () => {
    if (!event.answered) answerNothing(event);
  }, (error) => fail(event, error));
}
