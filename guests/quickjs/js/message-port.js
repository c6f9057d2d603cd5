// MessageChannel, MessagePort and BroadcastChannel, after HTML (§9.4, §9.5),
// within one isolate: there is no other that a message could go to. A message
// keeps the program from ending until it is delivered; a port that only listens
// does not.
import { DOMException, Map, TypeError } from "mayfly:intrinsics";
import { EventTarget, MessageEvent, connectMessagePort, dispatch, getHandler, setHandler, setTrusted } from "mayfly:event";
import { defineInterface, expose, requireArguments, sequence } from "mayfly:interface";
import {
  ArrayPrototypePush, ArrayPrototypeShift, ArrayPrototypeSlice, ArrayPrototypeSplice, MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet, ObjectFreeze,
  SymbolIterator,
} from "mayfly:primordials";
import { queueTask } from "mayfly:timers";

const { Event, structuredClone } = globalThis;
const internal = {};

let isMessagePort, entangle, moveTo, isDetached;

// listOf reads what is to be transferred: a sequence, or an option bag with one.
function listOf(options, what) {
  if (options === undefined || options === null) return undefined;
  if (typeof options !== "object" && typeof options !== "function") throw new TypeError(`${what}: options must be an object`);
  let given = options;
  if (options[SymbolIterator] === undefined || options[SymbolIterator] === null) given = options.transfer;
  if (given === undefined) return undefined;
  return sequence(given, `${what}: transfer`, (item) => {
    if (item === null || (typeof item !== "object" && typeof item !== "function")) throw new TypeError(`${what}: only objects can be transferred`);
    return item;
  });
}

function fire(target, type, init) {
  const event = new MessageEvent(type, init);
  setTrusted(event);
  dispatch(target, event);
}

export class MessagePort extends EventTarget {
  #peer = null;
  #queue = [];       // messages that came and are not delivered
  #enabled = false;  // they are delivered
  #detached = false; // closed, or gone to another port

  constructor(key = undefined) {
    if (key !== internal) throw new TypeError("Illegal constructor");
    super();
  }

  postMessage(message, options = undefined) {
    this.#queue;
    requireArguments(arguments.length, 1, "MessagePort.postMessage");
    const transfer = listOf(options, "MessagePort.postMessage");
    const peer = this.#peer;
    let doomed = false;
    const sent = [];
    if (transfer !== undefined) {
      for (let i = 0; i < transfer.length; i++) {
        if (transfer[i] === this) throw new DOMException("A port can't be transferred over itself.", "DataCloneError");
        if (transfer[i] === peer) doomed = true;
        if (isMessagePort(transfer[i])) ArrayPrototypePush(sent, transfer[i]);
      }
    }
    // One clone of both, so that ports in the message are those of the list.
    const { data, ports } = structuredClone({ data: message, ports: sent }, { __proto__: null, transfer });
    if (peer === null || doomed) return;
    ArrayPrototypePush(peer.#queue, { __proto__: null, data, ports: ObjectFreeze(ports) });
    if (peer.#enabled) queueTask(() => peer.#deliver());
  }

  start() {
    if (this.#enabled || this.#detached) return;
    this.#enabled = true;
    for (let i = 0; i < this.#queue.length; i++) queueTask(() => this.#deliver());
  }

  close() {
    const peer = this.#peer;
    this.#detached = true;
    this.#peer = null;
    if (peer === null) return;
    peer.#peer = null;
    queueTask(() => {
      const event = new Event("close");
      setTrusted(event);
      dispatch(peer, event);
    });
  }

  #deliver() {
    if (!this.#enabled || this.#queue.length === 0) return;
    const { data, ports } = ArrayPrototypeShift(this.#queue);
    fire(this, "message", { __proto__: null, data, ports });
  }

  get onmessage() { this.#queue; return getHandler(this, "message"); }
  set onmessage(value) {
    this.#queue;
    setHandler(this, "message", value);
    this.start();
  }
  get onmessageerror() { this.#queue; return getHandler(this, "messageerror"); }
  set onmessageerror(value) { this.#queue; setHandler(this, "messageerror", value); }
  get onclose() { this.#queue; return getHandler(this, "close"); }
  set onclose(value) { this.#queue; setHandler(this, "close", value); }

  static {
    isMessagePort = (value) => typeof value === "object" && value !== null && #queue in value;
    isDetached = (port) => port.#detached;
    entangle = (a, b) => {
      a.#peer = b;
      b.#peer = a;
    };
    // moveTo gives a port's place, and what came for it, to another.
    moveTo = (from, to) => {
      to.#peer = from.#peer;
      if (to.#peer !== null) to.#peer.#peer = to;
      to.#queue = from.#queue;
      from.#peer = null;
      from.#queue = [];
      from.#detached = true;
      from.#enabled = false;
    };
  }
}
defineInterface(MessagePort);
connectMessagePort(isMessagePort);

// newPort makes a port that is connected to nothing.
export const newPort = () => new MessagePort(internal);
export { isMessagePort, isDetached, moveTo };

export class MessageChannel {
  #port1 = newPort();
  #port2 = newPort();
  constructor() { entangle(this.#port1, this.#port2); }
  get port1() { return this.#port1; }
  get port2() { return this.#port2; }
}
defineInterface(MessageChannel);

// ---- broadcast channels

// Name → open channels, as they were made.
const channels = new Map();

export class BroadcastChannel extends EventTarget {
  #name;
  #closed = false;

  constructor(name) {
    requireArguments(arguments.length, 1, "BroadcastChannel constructor");
    super();
    this.#name = `${name}`;
    const list = MapPrototypeGet(channels, this.#name);
    if (list === undefined) MapPrototypeSet(channels, this.#name, [this]);
    else ArrayPrototypePush(list, this);
  }

  get name() { return this.#name; }

  postMessage(message) {
    this.#name;
    requireArguments(arguments.length, 1, "BroadcastChannel.postMessage");
    if (this.#closed) throw new DOMException("The channel is closed.", "InvalidStateError");
    const data = structuredClone(message);
    const list = ArrayPrototypeSlice(MapPrototypeGet(channels, this.#name));
    for (let i = 0; i < list.length; i++) {
      const channel = list[i];
      if (channel === this) continue;
      queueTask(() => {
        if (!channel.#closed) fire(channel, "message", { __proto__: null, data: structuredClone(data) });
      });
    }
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    const list = MapPrototypeGet(channels, this.#name);
    for (let i = 0; i < list.length; i++) {
      if (list[i] !== this) continue;
      ArrayPrototypeSplice(list, i, 1);
      break;
    }
    if (list.length === 0) MapPrototypeDelete(channels, this.#name);
  }

  get onmessage() { this.#name; return getHandler(this, "message"); }
  set onmessage(value) { this.#name; setHandler(this, "message", value); }
  get onmessageerror() { this.#name; return getHandler(this, "messageerror"); }
  set onmessageerror(value) { this.#name; setHandler(this, "messageerror", value); }
}
defineInterface(BroadcastChannel);

expose({ MessageChannel, MessagePort, BroadcastChannel });
