// EventEmitter of node:events, from the package events (MIT: node's own, of
// version 14), and what came since: on(), getEventListeners, rawListeners of
// targets. Missing on purpose: captureRejections.
import { Error, Promise, Symbol } from "mayfly:intrinsics";
import { evaluateCommonJS } from "mayfly:commonjs";
import source from "mayfly:npm/events/events.js" with { type: "text" };

export const EventEmitter = evaluateCommonJS("events", source);

EventEmitter.errorMonitor = Symbol("events.errorMonitor");
EventEmitter.captureRejectionSymbol = Symbol.for("nodejs.rejection");

const { emit } = EventEmitter.prototype;
EventEmitter.prototype.emit = function (type, ...args) {
  if (type === "error" && this._events?.[EventEmitter.errorMonitor] !== undefined) emit.call(this, EventEmitter.errorMonitor, ...args);
  return emit.call(this, type, ...args);
};

EventEmitter.getEventListeners = (emitter, type) => emitter.listeners(type);
EventEmitter.getMaxListeners = (emitter) => emitter.getMaxListeners();
EventEmitter.setMaxListeners = (n = EventEmitter.defaultMaxListeners, ...emitters) => {
  if (emitters.length === 0) EventEmitter.defaultMaxListeners = n;
  for (const emitter of emitters) emitter.setMaxListeners?.(n);
};
EventEmitter.listenerCount = (emitter, type) => emitter.listenerCount(type);

const aborted = (signal) => {
  const error = new Error("The operation was aborted", { cause: signal.reason });
  error.name = "AbortError";
  error.code = "ABORT_ERR";
  return error;
};

EventEmitter.once = function (emitter, type, { signal } = {}) {
  if (signal?.aborted) return Promise.reject(aborted(signal));
  return new Promise((resolve, reject) => {
    const target = typeof emitter.addEventListener === "function";
    const stop = () => {
      if (target) {
        emitter.removeEventListener(type, settle);
      } else {
        emitter.removeListener(type, settle);
        emitter.removeListener("error", fail);
      }
      signal?.removeEventListener("abort", abort);
    };
    const settle = (...args) => {
      stop();
      resolve(args);
    };
    const fail = (error) => {
      stop();
      reject(error);
    };
    const abort = () => fail(aborted(signal));
    if (target) {
      emitter.addEventListener(type, settle, { once: true });
    } else {
      emitter.once(type, settle);
      if (type !== "error") emitter.once("error", fail);
    }
    signal?.addEventListener("abort", abort, { once: true });
  });
};

EventEmitter.on = function (emitter, type, { signal, close = [] } = {}) {
  if (signal?.aborted) throw aborted(signal);
  const events = [];
  const waiting = [];
  let failure;
  let ended = false;
  const push = (...args) => {
    const next = waiting.shift();
    if (next === undefined) events.push(args);
    else next.resolve({ value: args, done: false });
  };
  const fail = (error) => {
    const next = waiting.shift();
    if (next === undefined) failure = { error };
    else next.reject(error);
    stop();
  };
  const abort = () => fail(aborted(signal));
  const stop = () => {
    ended = true;
    emitter.removeListener(type, push);
    emitter.removeListener("error", fail);
    for (const name of close) emitter.removeListener(name, stop);
    signal?.removeEventListener("abort", abort);
    for (const next of waiting.splice(0)) next.resolve({ value: undefined, done: true });
  };
  emitter.on(type, push);
  if (type !== "error") emitter.on("error", fail);
  for (const name of close) emitter.on(name, stop);
  signal?.addEventListener("abort", abort, { once: true });
  return {
    next() {
      if (events.length > 0) return Promise.resolve({ value: events.shift(), done: false });
      if (failure !== undefined) {
        const { error } = failure;
        failure = undefined;
        return Promise.reject(error);
      }
      if (ended) return Promise.resolve({ value: undefined, done: true });
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    return() {
      stop();
      return Promise.resolve({ value: undefined, done: true });
    },
    throw(error) {
      fail(error);
      return Promise.resolve({ value: undefined, done: true });
    },
    [Symbol.asyncIterator]() { return this; },
  };
};
