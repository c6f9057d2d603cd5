// setTimeout, setInterval, setImmediate: timers over the host's sleep. Ids are
// positive numbers and never used twice in one isolate.
//
// Missing on purpose: strings as callbacks (they would be eval), and node's
// Timeout objects with ref() and unref().
import { Map, TypeError } from "mayfly:intrinsics";
import { Writer, start, cancel } from "mayfly:host";
import { SLEEP } from "mayfly:op.gen";
import { exposeOperations } from "mayfly:interface";
import { MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet, ReflectApply } from "mayfly:primordials";

const MAX_DELAY = 2 ** 31 - 1;

// timer id → { operation, again }
const timers = new Map();
let nextId = 1;

function delayOf(value) {
  const ms = +value;
  // As in node: what is out of range, NaN included, is the shortest delay.
  return ms >= 1 && ms <= MAX_DELAY ? ms : 1;
}

function arm(id, timer) {
  timer.operation = start(SLEEP, new Writer(8).f64(timer.delay).done(), timer.fire, timer.fire);
}

function add(name, callback, delay, repeat, args) {
  if (typeof callback !== "function") throw new TypeError(`${name}: the callback must be a function`);
  const id = nextId++;
  const timer = {
    __proto__: null, delay, operation: 0,
    fire() {
      if (!repeat) MapPrototypeDelete(timers, id);
      try {
        ReflectApply(callback, globalThis, args);
      } finally {
        // Cleared by its own callback, it is gone from the table.
        if (repeat && MapPrototypeGet(timers, id) === timer) arm(id, timer);
      }
    },
  };
  arm(id, timer);
  MapPrototypeSet(timers, id, timer);
  return id;
}

function remove(id) {
  id = +id;
  const timer = MapPrototypeGet(timers, id);
  if (timer === undefined) return;
  MapPrototypeDelete(timers, id);
  cancel(timer.operation);
}

export function setTimeout(callback, delay = undefined, ...args) {
  return add("setTimeout", callback, delayOf(delay), false, args);
}
export function setInterval(callback, delay = undefined, ...args) {
  return add("setInterval", callback, delayOf(delay), true, args);
}
export function setImmediate(callback, ...args) {
  return add("setImmediate", callback, 0, false, args);
}
export function clearTimeout(id = undefined) { remove(id); }
export function clearInterval(id = undefined) { remove(id); }
export function clearImmediate(id = undefined) { remove(id); }

exposeOperations({ setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate });
