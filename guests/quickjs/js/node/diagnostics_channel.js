// node:diagnostics_channel
import { process } from "mayfly:process";
import { invalidArgType } from "mayfly:node-errors";

const channels = new Map();

function report(error) {
  process.nextTick(() => { throw error; });
}

export class Channel {
  #subscribers = [];
  #stores = new Map();
  constructor(name) {
    this.name = name;
  }
  get hasSubscribers() { return this.#subscribers.length > 0 || this.#stores.size > 0; }
  subscribe(f) {
    if (typeof f !== "function") throw invalidArgType("subscription", "of type function", f);
    this.#subscribers = [...this.#subscribers, f];
  }
  unsubscribe(f) {
    const at = this.#subscribers.indexOf(f);
    if (at < 0) return false;
    this.#subscribers = this.#subscribers.toSpliced(at, 1);
    return true;
  }
  bindStore(store, transform = undefined) { this.#stores.set(store, transform); }
  unbindStore(store) { return this.#stores.delete(store); }
  publish(message) {
    for (const f of this.#subscribers) {
      try {
        f(message, this.name);
      } catch (error) {
        report(error);
      }
    }
  }
  runStores(message, f, self = undefined, ...args) {
    let run = () => {
      this.publish(message);
      return Reflect.apply(f, self, args);
    };
    for (const [store, transform] of this.#stores) {
      const next = run;
      run = () => {
        let value = message;
        try {
          if (transform) value = transform(message);
        } catch (error) {
          report(error);
          return next();
        }
        return store.run(value, next);
      };
    }
    return run();
  }
}

export function channel(name) {
  if (typeof name !== "string" && typeof name !== "symbol") throw invalidArgType("channel", "of type string or symbol", name);
  if (!channels.has(name)) channels.set(name, new Channel(name));
  return channels.get(name);
}
export const hasSubscribers = (name) => channels.get(name)?.hasSubscribers ?? false;
export const subscribe = (name, f) => channel(name).subscribe(f);
export const unsubscribe = (name, f) => channel(name).unsubscribe(f);

const phases = ["start", "end", "asyncStart", "asyncEnd", "error"];

export class TracingChannel {
  constructor(of) {
    for (const phase of phases) this[phase] = typeof of === "string" ? channel(`tracing:${of}:${phase}`) : of[phase];
  }
  get hasSubscribers() { return phases.some((phase) => this[phase].hasSubscribers); }
  subscribe(handlers) {
    for (const phase of phases) if (handlers[phase]) this[phase].subscribe(handlers[phase]);
  }
  unsubscribe(handlers) {
    let done = true;
    for (const phase of phases) if (handlers[phase] && !this[phase].unsubscribe(handlers[phase])) done = false;
    return done;
  }
  #run(f, context) {
    try {
      return f();
    } catch (error) {
      context.error = error;
      this.error.publish(context);
      throw error;
    } finally {
      this.end.publish(context);
    }
  }
  traceSync(f, context = {}, self = undefined, ...args) {
    return this.start.runStores(context, () => this.#run(() => {
      const result = Reflect.apply(f, self, args);
      context.result = result;
      return result;
    }, context));
  }
  tracePromise(f, context = {}, self = undefined, ...args) {
    return this.start.runStores(context, () => this.#run(() => Promise.resolve(Reflect.apply(f, self, args)).then((result) => {
      context.result = result;
      this.asyncStart.publish(context);
      this.asyncEnd.publish(context);
      return result;
    }, (error) => {
      context.error = error;
      this.error.publish(context);
      this.asyncStart.publish(context);
      this.asyncEnd.publish(context);
      throw error;
    }), context));
  }
  traceCallback(f, position = -1, context = {}, self = undefined, ...args) {
    const callback = args.at(position);
    args.splice(position, 1, (error, result) => {
      if (error) {
        context.error = error;
        this.error.publish(context);
      } else {
        context.result = result;
      }
      this.asyncStart.runStores(context, () => {
        try {
          callback(error, result);
        } finally {
          this.asyncEnd.publish(context);
        }
      });
    });
    return this.start.runStores(context, () => this.#run(() => Reflect.apply(f, self, args), context));
  }
}
export const tracingChannel = (of) => new TracingChannel(of);
export default { Channel, channel, hasSubscribers, subscribe, tracingChannel, unsubscribe };
