// The env of a worker: the bindings of a deployed one, or what its parent gave a
// dynamic one.
import { call } from "mayfly:host";
import { ENVIRONMENT } from "mayfly:op.gen";
import { Proxy, Uint8Array } from "mayfly:intrinsics";
import { env as bindings } from "mayfly:env";
import {
  ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ReflectGet, ReflectOwnKeys,
} from "mayfly:primordials";

const none = new Uint8Array(0);
let current;
let decode;

// connectEnvironment tells how values are decoded: decode(message).
export function connectEnvironment(decoder) { decode = decoder; }

export function environment() {
  if (current !== undefined) return current;
  const message = call(ENVIRONMENT, none);
  return current = message[0] === 0 ? bindings : decode(message);
}

// known is environment(), or what a program has that is no worker.
function known() {
  try {
    return environment();
  } catch {
    return current = bindings;
  }
}

// env is what cloudflare:workers exports: as modules are evaluated before anybody
// is served, it finds out what it stands for when it is first looked at.
export const env = new Proxy({}, {
  __proto__: null,
  get: (_, key) => ReflectGet(known(), key),
  has: (_, key) => key in known(),
  ownKeys: () => ReflectOwnKeys(known()),
  getOwnPropertyDescriptor(_, key) {
    const descriptor = ObjectGetOwnPropertyDescriptor(known(), key);
    if (descriptor !== undefined) descriptor.configurable = true; // the target has none
    return descriptor;
  },
  set(_, key, value) {
    known()[key] = value;
    return true;
  },
  defineProperty(_, key, descriptor) {
    ObjectDefineProperty(known(), key, descriptor);
    return true;
  },
  deleteProperty: (_, key) => delete known()[key],
});
