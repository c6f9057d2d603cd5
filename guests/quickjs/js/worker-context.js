// The execution context of a worker's event: ctx.
import { Proxy, TypeError, Uint8Array } from "mayfly:intrinsics";
import { Writer, Reader, call } from "mayfly:host";
import { LOOPBACK } from "mayfly:op.gen";
import { defineInterface } from "mayfly:interface";


let making;
let wait, decodeProps, stubs, encode;

// connectContext tells how contexts do what other modules know: waitUntil(event,
// promise), props(event), stub(handle), encodeValue(value).
export function connectContext(waitUntil, props, stub, encodeValue) {
  wait = waitUntil;
  decodeProps = props;
  stubs = stub;
  encode = encodeValue;
}

export class ExecutionContext {
  #event;
  #props;
  #hasProps = false;

  constructor() {
    if (making === undefined) throw new TypeError("Illegal constructor");
    this.#event = making;
  }

  waitUntil(promise) { wait(this.#event, promise); }
  passThroughOnException() { this.#event.passThrough = true; }
  get props() {
    if (!this.#hasProps) {
      this.#hasProps = true;
      this.#props = this.#event.props === undefined ? {} : decodeProps(this.#event);
    }
    return this.#props;
  }
  get exports() { return exportsOfWorker; }
}
defineInterface(ExecutionContext);

export function newContext(event) {
  making = event;
  try {
    return new ExecutionContext();
  } finally {
    making = undefined;
  }
}

// ---- ctx.exports: entrypoints of the worker itself

const none = new Uint8Array(0);
const loopbacks = { __proto__: null };

function loopback(name, props) {
  const message = new Writer(64).str(name === "default" ? "" : name);
  if (props === undefined) message.bytes(none).u32(0);
  else props(message);
  return stubs(new Reader(call(LOOPBACK, message.done())).u32());
}

export const exportsOfWorker = new Proxy({ __proto__: null }, {
  __proto__: null,
  get(_, name) {
    if (typeof name !== "string") return undefined;
    return loopbacks[name] ??= loopback(name, undefined);
  },
  has: (_, name) => typeof name === "string",
});
