// performance and its timeline, after High Resolution Time, Performance Timeline
// and User Timing, over the isolate's coarse clock. Entries are those of marks
// and measures: nothing else is timed for programs.
import { DOMException, Set, TypeError } from "mayfly:intrinsics";
import { now, timeOrigin } from "mayfly:clock";
import { EventTarget } from "mayfly:event";
import { defineInterface, dictionary, expose, requireArguments, sequence } from "mayfly:interface";
import {
  ArrayPrototypePush, ArrayPrototypeSplice, FunctionPrototypeCall, NumberIsFinite, ObjectDefineProperty, ObjectFreeze, SetPrototypeAdd,
  SetPrototypeDelete, SetPrototypeForEach, SetPrototypeHas,
} from "mayfly:primordials";
import { queueTask } from "mayfly:timers";

const { structuredClone } = globalThis;

// What only this file may construct is constructed with this as first argument.
const internal = {};

// ---- entries

let startOf, typeOf, nameOf;

export class PerformanceEntry {
  #name; #type; #start; #duration;
  constructor(key = undefined, name = undefined, type = undefined, start = undefined, duration = undefined) {
    if (key !== internal) throw new TypeError("Illegal constructor");
    this.#name = name;
    this.#type = type;
    this.#start = start;
    this.#duration = duration;
  }
  get name() { return this.#name; }
  get entryType() { return this.#type; }
  get startTime() { return this.#start; }
  get duration() { return this.#duration; }
  toJSON() {
    return { name: this.#name, entryType: this.#type, startTime: this.#start, duration: this.#duration };
  }
  static {
    nameOf = (entry) => entry.#name;
    typeOf = (entry) => entry.#type;
    startOf = (entry) => entry.#start;
  }
}
defineInterface(PerformanceEntry);

// timestamp converts a DOMHighResTimeStamp, which is a finite double.
function timestamp(value, what) {
  const time = +value;
  if (!NumberIsFinite(time)) throw new TypeError(`${what} is not a finite number`);
  return time;
}

const detailOf = (detail) => (detail === undefined || detail === null ? null : structuredClone(detail));

export class PerformanceMark extends PerformanceEntry {
  #detail;
  constructor(markName, markOptions = undefined) {
    requireArguments(arguments.length, 1, "PerformanceMark constructor");
    const name = `${markName}`;
    const { detail, startTime } = dictionary(markOptions, "PerformanceMark constructor: markOptions");
    const start = startTime === undefined ? now() : timestamp(startTime, "startTime");
    if (start < 0) throw new TypeError("PerformanceMark constructor: startTime is negative");
    super(internal, name, "mark", start, 0);
    this.#detail = detailOf(detail);
  }
  get detail() { return this.#detail; }
}
defineInterface(PerformanceMark);
ObjectDefineProperty(PerformanceMark, "length", { __proto__: null, value: 1, configurable: true });

export class PerformanceMeasure extends PerformanceEntry {
  #detail;
  constructor(key = undefined, name = undefined, start = undefined, end = undefined, detail = undefined) {
    super(key, name, "measure", start, end - start);
    this.#detail = detail;
  }
  get detail() { return this.#detail; }
}
defineInterface(PerformanceMeasure);

// ---- the timeline

let timeline = [];

// pick lists the entries that have a name and a type, undefined meaning any,
// by their start, and those with the same start as they came.
function pick(entries, name, type) {
  const picked = [];
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    if ((name !== undefined && nameOf(entry) !== name) || (type !== undefined && typeOf(entry) !== type)) continue;
    let at = picked.length;
    while (at > 0 && startOf(picked[at - 1]) > startOf(entry)) at--;
    if (at === picked.length) ArrayPrototypePush(picked, entry);
    else ArrayPrototypeSplice(picked, at, 0, entry);
  }
  return picked;
}

function clear(type, name) {
  const kept = [];
  for (let i = 0; i < timeline.length; i++) {
    const entry = timeline[i];
    if (typeOf(entry) !== type || (name !== undefined && nameOf(entry) !== name)) ArrayPrototypePush(kept, entry);
  }
  timeline = kept;
}

// add puts an entry on the timeline and before those who watch it.
function add(entry) {
  SetPrototypeForEach(observers, (observer) => notice(observer, entry));
  ArrayPrototypePush(timeline, entry);
  return entry;
}

// timeOfMark answers the time that a mark's name, or a time itself, stands for.
function timeOfMark(mark) {
  if (typeof mark === "number") {
    const time = timestamp(mark, "performance.measure: the time");
    if (time < 0) throw new TypeError("performance.measure: a time is negative");
    return time;
  }
  const name = `${mark}`;
  for (let i = timeline.length - 1; i >= 0; i--) {
    const entry = timeline[i];
    if (typeOf(entry) === "mark" && nameOf(entry) === name) return startOf(entry);
  }
  throw new DOMException(`The mark '${name}' does not exist.`, "SyntaxError");
}

export class Performance extends EventTarget {
  #brand;
  constructor(key = undefined) {
    if (key !== internal) throw new TypeError("Illegal constructor");
    super();
  }
  now() { this.#brand; return now(); }
  get timeOrigin() { this.#brand; return timeOrigin(); }
  toJSON() { this.#brand; return { timeOrigin: timeOrigin() }; }

  getEntries() { this.#brand; return pick(timeline, undefined, undefined); }
  getEntriesByType(type) {
    this.#brand;
    requireArguments(arguments.length, 1, "performance.getEntriesByType");
    return pick(timeline, undefined, `${type}`);
  }
  getEntriesByName(name, type = undefined) {
    this.#brand;
    requireArguments(arguments.length, 1, "performance.getEntriesByName");
    return pick(timeline, `${name}`, type === undefined ? undefined : `${type}`);
  }

  mark(markName, markOptions = undefined) {
    this.#brand;
    requireArguments(arguments.length, 1, "performance.mark");
    return add(new PerformanceMark(markName, markOptions));
  }
  clearMarks(markName = undefined) {
    this.#brand;
    clear("mark", markName === undefined ? undefined : `${markName}`);
  }

  measure(measureName, startOrMeasureOptions = undefined, endMark = undefined) {
    this.#brand;
    requireArguments(arguments.length, 1, "performance.measure");
    const name = `${measureName}`;
    let start, end, duration, detail;
    const given = startOrMeasureOptions;
    let asked = false; // the options say what to measure
    if (typeof given === "object" && given !== null) {
      detail = given.detail;
      duration = given.duration;
      end = given.end;
      start = given.start;
      if (duration !== undefined) duration = timestamp(duration, "performance.measure: the duration");
      asked = detail !== undefined || duration !== undefined || end !== undefined || start !== undefined;
    } else if (typeof given === "function") {
      start = `${given}`;
    } else if (given !== undefined && given !== null) {
      start = given;
    }
    if (asked) {
      if (endMark !== undefined) throw new TypeError("performance.measure: an end mark can't be given with options");
      if (start === undefined && end === undefined) throw new TypeError("performance.measure: the options need start or end");
      if (start !== undefined && end !== undefined && duration !== undefined) {
        throw new TypeError("performance.measure: the options can't have start, end and duration at once");
      }
    }
    let endTime;
    if (endMark !== undefined) endTime = timeOfMark(endMark);
    else if (end !== undefined) endTime = timeOfMark(end);
    else if (start !== undefined && duration !== undefined) endTime = timeOfMark(start) + duration;
    else endTime = now();
    let startTime = 0;
    if (start !== undefined) startTime = timeOfMark(start);
    else if (duration !== undefined && end !== undefined) startTime = endTime - duration;
    return add(new PerformanceMeasure(internal, name, startTime, endTime, detailOf(detail)));
  }
  clearMeasures(measureName = undefined) {
    this.#brand;
    clear("measure", measureName === undefined ? undefined : `${measureName}`);
  }
}
defineInterface(Performance);

// ---- observers

const supported = ObjectFreeze(["mark", "measure"]);
const observers = new Set();
let scheduled = false;

let notice, deliver;

export class PerformanceObserverEntryList {
  #entries;
  constructor(key = undefined, entries = undefined) {
    if (key !== internal) throw new TypeError("Illegal constructor");
    this.#entries = entries;
  }
  getEntries() { return pick(this.#entries, undefined, undefined); }
  getEntriesByType(type) {
    requireArguments(arguments.length, 1, "PerformanceObserverEntryList.getEntriesByType");
    return pick(this.#entries, undefined, `${type}`);
  }
  getEntriesByName(name, type = undefined) {
    requireArguments(arguments.length, 1, "PerformanceObserverEntryList.getEntriesByName");
    return pick(this.#entries, `${name}`, type === undefined ? undefined : `${type}`);
  }
}
defineInterface(PerformanceObserverEntryList);

// typesOf reads a sequence of types; what is not supported is left out. It
// answers null if nothing is left.
function typesOf(value) {
  let types = null;
  const given = sequence(value, "PerformanceObserver.observe: entryTypes", (item) => `${item}`);
  for (let i = 0; i < given.length; i++) if (isSupported(given[i])) SetPrototypeAdd(types ??= new Set(), given[i]);
  return types;
}
const isSupported = (type) => type === "mark" || type === "measure";

export class PerformanceObserver {
  #callback;
  #buffer = [];
  #types = new Set();
  #mode; // "many" types at once, or "single" ones
  #told = false; // of what was dropped

  constructor(callback) {
    requireArguments(arguments.length, 1, "PerformanceObserver constructor");
    if (typeof callback !== "function") throw new TypeError("PerformanceObserver constructor: the callback is not a function");
    this.#callback = callback;
  }

  observe(options = undefined) {
    this.#mode;
    const { buffered, entryTypes, type } = dictionary(options, "PerformanceObserver.observe: options");
    if (entryTypes === undefined && type === undefined) throw new TypeError("PerformanceObserver.observe: either entryTypes or type is required");
    const types = entryTypes === undefined ? undefined : typesOf(entryTypes);
    const single = type === undefined ? undefined : `${type}`;
    if (types !== undefined && (single !== undefined || buffered !== undefined)) {
      throw new TypeError("PerformanceObserver.observe: entryTypes can't be combined with other options");
    }
    const mode = types !== undefined ? "many" : "single";
    if (this.#mode !== undefined && this.#mode !== mode) {
      throw new DOMException("The observer watches in another way already: by entryTypes, or by type.", "InvalidModificationError");
    }
    this.#mode = mode;
    if (types !== undefined) {
      if (types === null) return;
      this.#types = types;
      SetPrototypeAdd(observers, this);
      return;
    }
    if (!isSupported(single)) return;
    SetPrototypeAdd(this.#types, single);
    SetPrototypeAdd(observers, this);
    if (buffered) {
      const past = pick(timeline, undefined, single);
      for (let i = 0; i < past.length; i++) ArrayPrototypePush(this.#buffer, past[i]);
      if (past.length > 0) schedule();
    }
  }

  disconnect() {
    this.#buffer = [];
    this.#types = new Set();
    this.#mode = undefined;
    SetPrototypeDelete(observers, this);
  }

  takeRecords() {
    const records = this.#buffer;
    this.#buffer = [];
    return records;
  }

  static get supportedEntryTypes() { return supported; }

  static {
    notice = (observer, entry) => {
      if (!SetPrototypeHas(observer.#types, typeOf(entry))) return;
      ArrayPrototypePush(observer.#buffer, entry);
      schedule();
    };
    deliver = (observer) => {
      const entries = observer.#buffer;
      if (entries.length === 0) return;
      observer.#buffer = [];
      const options = observer.#told ? {} : { droppedEntriesCount: 0 };
      observer.#told = true;
      FunctionPrototypeCall(observer.#callback, observer, new PerformanceObserverEntryList(internal, entries), observer, options);
    };
  }
}
defineInterface(PerformanceObserver);

// schedule has all observers hear of what is new, in one task.
function schedule() {
  if (scheduled) return;
  scheduled = true;
  queueTask(() => {
    scheduled = false;
    const list = [];
    SetPrototypeForEach(observers, (observer) => ArrayPrototypePush(list, observer));
    for (let i = 0; i < list.length; i++) {
      try {
        deliver(list[i]);
      } catch (error) {
        reportError(error);
      }
    }
  });
}
const { reportError } = globalThis;

// forgetTask is for the begin of a cell: a task of the cells before was dropped
// by the guest.
export function forgetTask() {
  scheduled = false;
}

export const performance = new Performance(internal);

expose({ Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure, PerformanceObserver, PerformanceObserverEntryList, performance });
