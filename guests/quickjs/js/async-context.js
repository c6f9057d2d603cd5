// AsyncLocalStorage and AsyncResource, after node:async_hooks, over the
// engine's asynchronous context: an immutable map of storages to their values.
//
// Missing on purpose: the hooks of createHook, which are never called.
import { Map, TypeError } from "mayfly:intrinsics";
import native from "mayfly:native";
import { coded, invalidArgType } from "mayfly:node-errors";
import { FunctionPrototypeCall, MapPrototypeForEach, MapPrototypeGet, MapPrototypeHas, MapPrototypeSet, ObjectDefineProperty, ReflectApply } from "mayfly:primordials";

const { asyncContext, setAsyncContext } = native;

function extend(context, storage, value) {
  const next = new Map();
  if (context !== undefined) MapPrototypeForEach(context, (v, k) => { MapPrototypeSet(next, k, v); });
  MapPrototypeSet(next, storage, value);
  return next;
}

// within calls a function in a context, and leaves that again.
export function within(context, f, self, args) {
  const before = asyncContext();
  setAsyncContext(context);
  try {
    return ReflectApply(f, self, args);
  } finally {
    setAsyncContext(before);
  }
}

export class AsyncLocalStorage {
  #enabled = true;
  #defaultValue;
  #name;

  constructor(options = undefined) {
    this.#defaultValue = options?.defaultValue;
    this.#name = options?.name ?? "";
  }

  static bind(f) {
    if (typeof f !== "function") throw invalidArgType("fn", "of type function", f);
    return AsyncResource.bind(f);
  }
  static snapshot() {
    const context = asyncContext();
    return (f, ...args) => within(context, f, undefined, args);
  }

  get name() { return this.#name; }
  run(value, f, ...args) {
    this.#enabled = true;
    return within(extend(asyncContext(), this, value), f, undefined, args);
  }
  exit(f, ...args) { return within(extend(asyncContext(), this, undefined), f, undefined, args); }
  enterWith(value) {
    this.#enabled = true;
    setAsyncContext(extend(asyncContext(), this, value));
  }
  getStore() {
    const context = asyncContext();
    if (!this.#enabled || context === undefined || !MapPrototypeHas(context, this)) return this.#defaultValue;
    return MapPrototypeGet(context, this);
  }
  disable() { this.#enabled = false; }
}

let lastId = 1;
let executing = { id: 1, trigger: 0, resource: {} };

export class AsyncResource {
  #context = asyncContext();
  #id = ++lastId;
  #trigger;

  constructor(type, options = undefined) {
    if (typeof type !== "string") throw invalidArgType("type", "of type string", type);
    const trigger = typeof options === "number" ? options : options?.triggerAsyncId;
    if (trigger !== undefined && !(Number.isSafeInteger(trigger) && trigger >= -1)) throw coded(new TypeError(`Invalid triggerAsyncId value: ${trigger}`), "ERR_INVALID_ASYNC_ID");
    this.#trigger = trigger ?? executing.id;
  }

  static bind(f, type = undefined, self = undefined) {
    return new AsyncResource(type ?? (f.name || "bound-anonymous-fn")).bind(f, self);
  }

  runInAsyncScope(f, self = undefined, ...args) {
    const before = executing;
    executing = { id: this.#id, trigger: this.#trigger, resource: this };
    try {
      return within(this.#context, f, self, args);
    } finally {
      executing = before;
    }
  }
  bind(f, self = undefined) {
    if (typeof f !== "function") throw invalidArgType("fn", "of type function", f);
    const resource = this;
    const bound = function (...args) { return FunctionPrototypeCall(resource.runInAsyncScope, resource, f, self === undefined ? this : self, ...args); };
    ObjectDefineProperty(bound, "length", { __proto__: null, value: f.length, configurable: true });
    return bound;
  }
  emitDestroy() { return this; }
  asyncId() { return this.#id; }
  triggerAsyncId() { return this.#trigger; }
}

export const executionAsyncId = () => executing.id;
export const triggerAsyncId = () => executing.trigger;
export const executionAsyncResource = () => executing.resource;
