// setTimeout, setInterval, setImmediate: timers over the host's sleep. Ids are
// positive numbers and never used twice in one isolate.
//
// Missing on purpose: strings as callbacks (they would be eval), and node's
// Timeout objects with ref() and unref().
import { Map, Set, TypeError } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Writer, cancel, start } from "mayfly:host";
import { SLEEP } from "mayfly:op.gen";
import { exposeOperations } from "mayfly:interface";
import { currentEvent } from "mayfly:worker-events";
import { MapPrototypeClear, MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet, ReflectApply, SetPrototypeAdd, SetPrototypeDelete, SetPrototypeForEach } from "mayfly:primordials";

const MAX_DELAY = 2 ** 31 - 1;
const IMMEDIATE = {};
const NOW = new Writer(8).f64(0).done();

// Timer id → operation id. Operations have a table of their own, but the ids
// there are not all of timers.
const timers = new Map();
let nextId = 1;

function add(name, callback, delay, repeat, args) {
  if (typeof callback !== "function") throw new TypeError(`${name}: the callback must be a function`);
  // As in node: what is out of range, NaN included, is the shortest delay.
  if (delay !== IMMEDIATE) delay = +delay;
  const id = nextId++;
  const event = currentEvent();
  const fire = () => {
    if (!repeat) {
      MapPrototypeDelete(timers, id);
      if (event !== undefined) SetPrototypeDelete(event.timers, id);
    }
    ReflectApply(callback, globalThis, args);
  };
  let operation;
  if (delay === IMMEDIATE) {
    operation = start(SLEEP, NOW, fire, fire);
  } else {
    operation = native.timer(fire, delay >= 1 && delay <= MAX_DELAY ? delay : 1, repeat, undefined);
  }
  MapPrototypeSet(timers, id, operation);
  if (event !== undefined) SetPrototypeAdd(event.timers ??= new Set(), id);
  return id;
}

function remove(id) {
  if (typeof id !== "number") id = +id;
  const operation = MapPrototypeGet(timers, id);
  if (operation === undefined) return;
  MapPrototypeDelete(timers, id);
  const event = currentEvent();
  if (event !== undefined && event.timers !== undefined) SetPrototypeDelete(event.timers, id);
  cancel(operation);
}

export function setTimeout(callback, delay = undefined, ...args) {
  return add("setTimeout", callback, delay, false, args);
}
export function setInterval(callback, delay = undefined, ...args) {
  return add("setInterval", callback, delay, true, args);
}
export function setImmediate(callback, ...args) {
  return add("setImmediate", callback, IMMEDIATE, false, args);
}
export function clearTimeout(id = undefined) { remove(id); }
export function clearInterval(id = undefined) { remove(id); }
export function clearImmediate(id = undefined) { remove(id); }

// queueTask calls a function in a turn of its own, after those that were queued
// before it (HTML, queue a task). Its errors are uncaught ones.
export function queueTask(callback) {
  start(SLEEP, NOW, callback, callback);
}

// forgetTimers is for the begin of a cell: those of the cells before were
// dropped by the guest.
export function forgetTimers() {
  MapPrototypeClear(timers);
}

// forgetTimersOf is for the end of a worker's event.
export function forgetTimersOf(event) {
  if (event.timers !== undefined) SetPrototypeForEach(event.timers, (id) => { MapPrototypeDelete(timers, id); });
}

// unref lets the program end while the timer waits.
export function unref(id) {
  const operation = MapPrototypeGet(timers, id);
  if (operation !== undefined) native.ref(operation, false);
}

exposeOperations({ setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate });
