// The execution context of a worker's event: ctx.
import { Proxy, TypeError, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Writer, Reader, call } from "mayfly:host";
import { LOOPBACK } from "mayfly:op.gen";
import { defineInterface } from "mayfly:interface";


let making;
let wait, decodeProps, loopbackStub, propsStub;

// connectContext tells how contexts do what other modules know: waitUntil(event,
// promise), props(event), stub(handle, make), eventStub(run): run() answers a
// handle, within the writing of a message.
export function connectContext(waitUntil, props, stub, eventStub) {
  wait = waitUntil;
  decodeProps = props;
  loopbackStub = stub;
  propsStub = eventStub;
}

export class ExecutionContext {
  #event;

  constructor() {
    if (making === undefined) throw new TypeError("Illegal constructor");
    this.#event = making;
    making = undefined;
  }

  waitUntil(promise) { wait(this.#event, promise); }
  passThroughOnException() { this.#event.passThrough = true; }
  get props() {
    const event = this.#event;
    return event.decoded ??= event.props === undefined ? {} : decodeProps(event);
  }
  get exports() { return exportsOfWorker; }
}
defineInterface(ExecutionContext);

export function newContext(event) {
  making = event;
  return new ExecutionContext();
}

// ---- ctx.exports: entrypoints of the worker itself

const none = new Uint8Array(0);
const loopbacks = { __proto__: null };

const handleOf = (message) => new Reader(call(LOOPBACK, message)).u32();

// loopback makes a stub of an entrypoint without props, which can be called for
// one with them.
function loopback(name) {
  const wanted = name === "default" ? "" : name;
  return loopbackStub(handleOf(new Writer(64).str(wanted).bytes(none).u32(0).done()), (options) => {
    const props = options === undefined || options === null ? undefined : options.props;
    if (props !== undefined && (typeof props !== "object" || props === null)) throw new TypeError("Incorrect type for the 'props' field on 'LoopbackOptions': the provided value is not of type 'Object'.");
    return propsStub(() => handleOf(new Writer(256).str(wanted).raw(native.encodeValue(props ?? {})).done()));
  });
}

export const exportsOfWorker = new Proxy({ __proto__: null }, {
  __proto__: null,
  get(_, name) {
    if (typeof name !== "string") return undefined;
    return loopbacks[name] ??= loopback(name);
  },
  has: (_, name) => typeof name === "string",
});
