// node:events
import { EventEmitter } from "mayfly:emitter";
import { AsyncResource } from "mayfly:async-context";
import { process } from "mayfly:process";

export default EventEmitter;
class EventEmitterAsyncResource extends EventEmitter {
  #resource;
  constructor(options = undefined) {
    super(options);
    this.#resource = new AsyncResource(typeof options === "string" ? options : options?.name ?? new.target.name, options);
  }
  emit(...args) { return this.#resource.runInAsyncScope(super.emit, this, ...args); }
  emitDestroy() { this.#resource.emitDestroy(); }
  get asyncId() { return this.#resource.asyncId(); }
  get triggerAsyncId() { return this.#resource.triggerAsyncId(); }
  get asyncResource() { return this.#resource; }
}
EventEmitter.EventEmitterAsyncResource = EventEmitterAsyncResource;
EventEmitter.usingDomains = false;
EventEmitter.addAbortListener = (signal, listener) => {
  if (signal.aborted) process.nextTick(() => listener(new Event("abort")));
  else signal.addEventListener("abort", listener, { once: true });
  const dispose = () => signal.removeEventListener("abort", listener);
  return { __proto__: null, dispose, [Symbol.dispose ?? Symbol.for("Symbol.dispose")]: dispose };
};
const { Event } = globalThis;

export { EventEmitter, EventEmitterAsyncResource };
export const { addAbortListener, captureRejectionSymbol, defaultMaxListeners, errorMonitor, getEventListeners, getMaxListeners, listenerCount, on, once, setMaxListeners } = EventEmitter;
