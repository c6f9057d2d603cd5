// Event, EventTarget and their kin, after the DOM standard (§2), without a
// tree: targets have no parents, so there is no capturing or bubbling phase.
import { DOMException, Map, TypeError } from "mayfly:intrinsics";
import { now } from "mayfly:clock";
import { defineInterface, dictionary, expose, exposeOperations, requireArguments, sequence } from "mayfly:interface";
import native from "mayfly:native";
import {
  ArrayPrototypePush, ArrayPrototypeSlice, ArrayPrototypeSplice, FunctionPrototypeCall, MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet,
  ObjectDefineProperty, ObjectFreeze, ObjectGetOwnPropertyDescriptor, ObjectSetPrototypeOf, StringPrototypeToWellFormed,
} from "mayfly:primordials";

const NONE = 0;
const AT_TARGET = 2;

// Friends of the private fields, for dispatch.
let begin, end, stopped, setPassive, wasCanceled, isDispatching, setTrusted, isTrusted;

// Every event has this as a property of its own (Web IDL, LegacyUnforgeable).
const trusted = {
  __proto__: null,
  get: ObjectGetOwnPropertyDescriptor({ get isTrusted() { return isTrusted(this); } }, "isTrusted").get,
  set: undefined, enumerable: true, configurable: false,
};

export class Event {
  #type;
  #bubbles;
  #cancelable;
  #composed;
  #target = null;
  #currentTarget = null;
  #dispatching = false;
  #stopPropagation = false;
  #stopImmediate = false;
  #canceled = false;
  #passive = false;
  #trusted = false;
  #timeStamp = now();

  constructor(type, eventInitDict = undefined) {
    requireArguments(arguments.length, 1, "Event constructor");
    this.#type = `${type}`;
    const init = dictionary(eventInitDict, "Event constructor: eventInitDict");
    this.#bubbles = !!init.bubbles;
    this.#cancelable = !!init.cancelable;
    this.#composed = !!init.composed;
    ObjectDefineProperty(this, "isTrusted", trusted);
  }

  get type() { return this.#type; }
  get target() { return this.#target; }
  get srcElement() { return this.#target; }
  get currentTarget() { return this.#currentTarget; }
  composedPath() { return this.#currentTarget === null ? [] : [this.#currentTarget]; }
  get eventPhase() { return this.#currentTarget === null ? NONE : AT_TARGET; }
  stopPropagation() { this.#stopPropagation = true; }
  get cancelBubble() { return this.#stopPropagation; }
  set cancelBubble(value) { if (value) this.#stopPropagation = true; else this.#type; }
  stopImmediatePropagation() { this.#stopPropagation = this.#stopImmediate = true; }
  get bubbles() { return this.#bubbles; }
  get cancelable() { return this.#cancelable; }
  get returnValue() { return !this.#canceled; }
  set returnValue(value) { if (!value) this.#cancel(); else this.#type; }
  preventDefault() { this.#cancel(); }
  get defaultPrevented() { return this.#canceled; }
  get composed() { return this.#composed; }
  get timeStamp() { return this.#timeStamp; }
  initEvent(type, bubbles = false, cancelable = false) {
    requireArguments(arguments.length, 1, "Event.initEvent");
    if (this.#dispatching) return;
    this.#type = `${type}`;
    this.#bubbles = !!bubbles;
    this.#cancelable = !!cancelable;
    this.#stopPropagation = this.#stopImmediate = this.#canceled = this.#trusted = false;
    this.#target = null;
  }

  #cancel() {
    if (this.#cancelable && !this.#passive) this.#canceled = true;
  }

  static {
    begin = (event, target) => {
      event.#dispatching = true;
      event.#target = event.#currentTarget = target;
    };
    end = (event) => {
      event.#dispatching = event.#stopPropagation = event.#stopImmediate = event.#passive = false;
      event.#currentTarget = null;
    };
    stopped = (event) => event.#stopImmediate;
    setPassive = (event, passive) => { event.#passive = passive; };
    wasCanceled = (event) => event.#canceled;
    isDispatching = (event) => event.#dispatching;
    setTrusted = (event) => { event.#trusted = true; };
    isTrusted = (event) => event.#trusted;
  }
}
defineInterface(Event, "Event", { NONE, CAPTURING_PHASE: 1, AT_TARGET, BUBBLING_PHASE: 3 });

export class CustomEvent extends Event {
  #detail;
  constructor(type, eventInitDict = undefined) {
    super(type, eventInitDict);
    const { detail = null } = dictionary(eventInitDict);
    this.#detail = detail;
  }
  get detail() { return this.#detail; }
  initCustomEvent(type, bubbles = false, cancelable = false, detail = null) {
    if (isDispatching(this)) return;
    this.initEvent(type, bubbles, cancelable);
    this.#detail = detail;
  }
}
defineInterface(CustomEvent);

export class ErrorEvent extends Event {
  #message; #filename; #lineno; #colno; #error;
  constructor(type, eventInitDict = undefined) {
    super(type, eventInitDict);
    const init = dictionary(eventInitDict);
    const { message = "", filename = "", lineno = 0, colno = 0 } = init;
    this.#message = `${message}`;
    this.#filename = `${filename}`;
    this.#lineno = lineno >>> 0;
    this.#colno = colno >>> 0;
    this.#error = init.error;
  }
  get message() { return this.#message; }
  get filename() { return this.#filename; }
  get lineno() { return this.#lineno; }
  get colno() { return this.#colno; }
  get error() { return this.#error; }
}
defineInterface(ErrorEvent);

export class PromiseRejectionEvent extends Event {
  #promise; #reason;
  constructor(type, eventInitDict) {
    requireArguments(arguments.length, 2, "PromiseRejectionEvent constructor");
    super(type, eventInitDict);
    const init = dictionary(eventInitDict);
    if (init.promise === undefined) throw new TypeError("PromiseRejectionEvent constructor: promise is required");
    this.#promise = init.promise;
    this.#reason = init.reason;
  }
  get promise() { return this.#promise; }
  get reason() { return this.#reason; }
}
defineInterface(PromiseRejectionEvent);

// portsOf converts a sequence of message ports to a frozen array.
function portsOf(value) {
  return ObjectFreeze(sequence(value, "MessageEvent: ports", (port) => {
    if (!isMessagePort(port)) throw new TypeError("MessageEvent: an item of ports is not a MessagePort");
    return port;
  }));
}
const noPorts = ObjectFreeze([]);

// Set by message-port.js, which builds on this module.
let isMessagePort = () => false;
export function connectMessagePort(test) {
  isMessagePort = test;
}

// sourceOf converts a MessageEventSource: of its kinds there are ports here.
function sourceOf(value) {
  if (value !== null && value !== undefined && !isMessagePort(value)) throw new TypeError("MessageEvent: source is not a MessagePort");
  return value ?? null;
}

export class MessageEvent extends Event {
  #data; #origin; #lastEventId; #source; #ports;
  constructor(type, eventInitDict = undefined) {
    super(type, eventInitDict);
    const { data = null, lastEventId = "", origin = "", ports, source } = dictionary(eventInitDict);
    this.#data = data;
    this.#lastEventId = `${lastEventId}`;
    this.#origin = StringPrototypeToWellFormed(`${origin}`);
    this.#ports = ports === undefined ? noPorts : portsOf(ports);
    this.#source = sourceOf(source);
  }
  get data() { return this.#data; }
  get origin() { return this.#origin; }
  get lastEventId() { return this.#lastEventId; }
  get source() { return this.#source; }
  get ports() { return this.#ports; }
  initMessageEvent(type, bubbles = false, cancelable = false, data = null, origin = "", lastEventId = "", source = null, ports = []) {
    requireArguments(arguments.length, 1, "MessageEvent.initMessageEvent");
    if (isDispatching(this)) return;
    this.initEvent(type, bubbles, cancelable);
    this.#data = data;
    this.#origin = StringPrototypeToWellFormed(`${origin}`);
    this.#lastEventId = `${lastEventId}`;
    this.#source = sourceOf(source);
    this.#ports = portsOf(ports);
  }
}
defineInterface(MessageEvent);

export class CloseEvent extends Event {
  #wasClean; #code; #reason;
  constructor(type, eventInitDict = undefined) {
    super(type, eventInitDict);
    const { wasClean = false, code = 0, reason = "" } = dictionary(eventInitDict);
    this.#wasClean = !!wasClean;
    this.#code = code & 0xffff;
    this.#reason = `${reason}`;
  }
  get wasClean() { return this.#wasClean; }
  get code() { return this.#code; }
  get reason() { return this.#reason; }
}
defineInterface(CloseEvent);

// ---- targets

let dispatch, listen, removeListener, setHandler, getHandler, listenerCount;

export class EventTarget {
  // type → [{ callback, capture, once, passive, removed, handler }]
  #listeners;

  // Functions of the global object are called without it: this is undefined.
  addEventListener(type, callback, options = undefined) {
    requireArguments(arguments.length, 2, "EventTarget.addEventListener");
    listen(targetOf(this), type, callback, options);
  }

  removeEventListener(type, callback, options = undefined) {
    requireArguments(arguments.length, 2, "EventTarget.removeEventListener");
    removeListener(targetOf(this), type, callback, options);
  }

  dispatchEvent(event) {
    requireArguments(arguments.length, 1, "EventTarget.dispatchEvent");
    if (!isEvent(event)) throw new TypeError("EventTarget.dispatchEvent: the argument is not an Event");
    if (isDispatching(event)) throw new DOMException("The event is already being dispatched.", "InvalidStateError");
    return dispatch(targetOf(this), event);
  }

  #list(type) {
    return this.#listeners === undefined ? undefined : MapPrototypeGet(this.#listeners, type);
  }

  #add(type, listener) {
    this.#listeners ??= new Map();
    const list = MapPrototypeGet(this.#listeners, type);
    if (list === undefined) {
      MapPrototypeSet(this.#listeners, type, [listener]);
      return;
    }
    ArrayPrototypePush(list, listener);
  }

  static {
    listen = (target, type, callback, options) => {
      type = `${type}`;
      let once = false, passive = false, signal;
      const capture = captureOf(options);
      if (options !== null && (typeof options === "object" || typeof options === "function")) {
        once = !!options.once;
        passive = !!options.passive;
        signal = options.signal;
        if (signal !== undefined && !isAbortSignal(signal)) throw new TypeError("EventTarget.addEventListener: signal is not an AbortSignal");
      }
      if (callback !== null && callback !== undefined && typeof callback !== "function" && typeof callback !== "object") {
        throw new TypeError("EventTarget.addEventListener: the listener is neither a function nor an object");
      }
      const list = target.#list(type);
      if (signal !== undefined && signal.aborted) return;
      if (callback === null || callback === undefined) return;
      if (list !== undefined) {
        for (let i = 0; i < list.length; i++) {
          if (list[i].callback === callback && list[i].capture === capture && !list[i].handler) return;
        }
      }
      target.#add(type, { __proto__: null, callback, capture, once, passive, removed: false, handler: false });
      if (signal !== undefined) onAbort(signal, () => removeListener(target, type, callback, { __proto__: null, capture }));
    };

    removeListener = (target, type, callback, options) => {
      type = `${type}`;
      const capture = captureOf(options);
      const list = target.#list(type);
      if (list === undefined) return;
      for (let i = 0; i < list.length; i++) {
        const listener = list[i];
        if (listener.callback === callback && listener.capture === capture && !listener.handler) {
          listener.removed = true;
          ArrayPrototypeSplice(list, i, 1);
          if (list.length === 0) MapPrototypeDelete(target.#listeners, type);
          return;
        }
      }
    };

    dispatch = (target, event) => {
      const shown = target === globalTarget ? globalThis : target;
      begin(event, shown);
      const list = target.#list(event.type);
      if (list !== undefined) {
        // Listeners added while the event is under way do not get it.
        const listeners = ArrayPrototypeSlice(list);
        for (let i = 0; i < listeners.length && !stopped(event); i++) {
          const listener = listeners[i];
          if (listener.removed) continue;
          if (listener.once) {
            listener.removed = true;
            const at = indexOf(list, listener);
            if (at >= 0) ArrayPrototypeSplice(list, at, 1);
          }
          setPassive(event, listener.passive);
          const { callback } = listener;
          try {
            if (typeof callback === "function") {
              if (!listener.handler) {
                FunctionPrototypeCall(callback, shown, event);
              } else if (shown === globalThis && event instanceof ErrorEvent && event.type === "error") {
                // onerror has arguments of its own, and true prevents.
                if (FunctionPrototypeCall(callback, shown, event.message, event.filename, event.lineno, event.colno, event.error) === true) event.preventDefault();
              } else if (FunctionPrototypeCall(callback, shown, event) === false) {
                event.preventDefault();
              }
            } else {
              const handle = callback.handleEvent;
              if (typeof handle !== "function") throw new TypeError("The event listener has no handleEvent method");
              FunctionPrototypeCall(handle, callback, event);
            }
          } catch (error) {
            reportError(error);
          }
          setPassive(event, false);
        }
      }
      end(event);
      return !wasCanceled(event);
    };

    // An event handler attribute (onabort): one listener, in the place it had
    // when it was first set.
    setHandler = (target, type, callback) => {
      const list = target.#list(type);
      const value = typeof callback === "function" || (typeof callback === "object" && callback !== null) ? callback : null;
      if (list !== undefined) {
        for (let i = 0; i < list.length; i++) {
          if (!list[i].handler) continue;
          if (value !== null) {
            list[i].callback = value;
          } else {
            list[i].removed = true;
            ArrayPrototypeSplice(list, i, 1);
          }
          return;
        }
      }
      if (value !== null) target.#add(type, { __proto__: null, callback: value, capture: false, once: false, passive: false, removed: false, handler: true });
    };
    getHandler = (target, type) => {
      const list = target.#list(type);
      if (list === undefined) return null;
      for (let i = 0; i < list.length; i++) if (list[i].handler) return list[i].callback;
      return null;
    };
    listenerCount = (target, type) => target.#list(type)?.length ?? 0;
  }
}
defineInterface(EventTarget);

function captureOf(options) {
  if (options !== null && (typeof options === "object" || typeof options === "function")) return !!options.capture;
  return !!options;
}

function indexOf(list, item) {
  for (let i = 0; i < list.length; i++) if (list[i] === item) return i;
  return -1;
}

const isEvent = (value) => {
  try {
    isDispatching(value);
    return true;
  } catch {
    return false;
  }
};

// Set by abort.js, which builds on this module.
let isAbortSignal = () => false;
let onAbort = () => {};
export function connectAbortSignal(test, subscribe) {
  isAbortSignal = test;
  onAbort = subscribe;
}

// ---- the global object as a target

// It stands for the global object, which has no private fields.
const globalTarget = new EventTarget();

function targetOf(value) {
  return value === undefined || value === null || value === globalThis ? globalTarget : value;
}

// The classes of the global object, as service workers have them. Its events
// are those of errors; requests come to handlers that a program exports.
const internal = {};
export class WorkerGlobalScope extends EventTarget {
  constructor(key = undefined) {
    if (key !== internal) throw new TypeError("Illegal constructor");
    super();
  }
}
defineInterface(WorkerGlobalScope);
export class ServiceWorkerGlobalScope extends WorkerGlobalScope {}
defineInterface(ServiceWorkerGlobalScope);
ObjectSetPrototypeOf(globalThis, ServiceWorkerGlobalScope.prototype);
for (const type of ["error", "unhandledrejection", "rejectionhandled"]) {
  ObjectDefineProperty(globalThis, `on${type}`, {
    __proto__: null, enumerable: true, configurable: true,
    get: ObjectGetOwnPropertyDescriptor({ get [`on${type}`]() { return getHandler(globalTarget, type); } }, `on${type}`).get,
    set: ObjectGetOwnPropertyDescriptor({ set [`on${type}`](value) { setHandler(globalTarget, type, value); } }, `on${type}`).set,
  });
}

// reportError is how the platform reports what a callback threw: an error event
// on the global object, and where nobody prevents it, the failure of the run.
// The guest does both, through reportUncaught.
export function reportError(error) {
  requireArguments(arguments.length, 1, "reportError");
  native.reportError(error);
}

// reportUncaught answers whether a listener took an error over.
export function reportUncaught(error) {
  if (reporting || listenerCount(globalTarget, "error") === 0) return false;
  reporting = true;
  try {
    const event = new ErrorEvent("error", { __proto__: null, message: messageOf(error), error, cancelable: true });
    setTrusted(event);
    return !dispatch(globalTarget, event);
  } finally {
    reporting = false;
  }
}
let reporting = false;

function messageOf(error) {
  try {
    return `${error?.message ?? error}`;
  } catch {
    return "";
  }
}

// Of workers that listen: dispatchGlobal sends the global object an event.
export const hasGlobalListeners = (type) => listenerCount(globalTarget, type) > 0;
export const dispatchGlobal = (event) => dispatch(globalTarget, event);

// reportRejection answers whether a listener took an unhandled rejection over.
export function reportRejection(promise, reason) {
  if (listenerCount(globalTarget, "unhandledrejection") === 0) return false;
  const event = new PromiseRejectionEvent("unhandledrejection", { __proto__: null, promise, reason, cancelable: true });
  setTrusted(event);
  return !dispatch(globalTarget, event);
}

export { dispatch, setHandler, getHandler, setTrusted };

expose({ Event, CustomEvent, ErrorEvent, PromiseRejectionEvent, MessageEvent, CloseEvent, EventTarget, WorkerGlobalScope, ServiceWorkerGlobalScope });
exposeOperations({ reportError });
