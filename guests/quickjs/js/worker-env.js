// The env of a worker: the bindings of a deployed one, or what its parent gave a
// dynamic one; and what withEnv puts in its place.
import { Proxy, TypeError, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { call } from "mayfly:host";
import { ENVIRONMENT } from "mayfly:op.gen";
import { env as bindings } from "mayfly:env";
import { expose } from "mayfly:interface";
import { AsyncLocalStorage } from "mayfly:async-context";
import { exportsOfWorker } from "mayfly:worker-context";
import {
  ObjectGetOwnPropertyDescriptor, ReflectDefineProperty, ReflectDeleteProperty, ReflectGet, ReflectHas, ReflectOwnKeys, ReflectSet, uncurryThis,
} from "mayfly:primordials";

const none = new Uint8Array(0);
let current;
let decode;

// connectEnvironment tells how values are decoded: decode(message).
export function connectEnvironment(decoder) { decode = decoder; }

export function environment() {
  if (current !== undefined) return current;
  if (!native.isWorker()) return bindings; // of an execution
  const message = call(ENVIRONMENT, none);
  return current = message[0] === 0 ? bindings : decode(message);
}

// ---- what cloudflare:workers exports

const replaced = new AsyncLocalStorage(); // { env, exports }, each maybe undefined
const run = uncurryThis(AsyncLocalStorage.prototype.run);
const store = uncurryThis(AsyncLocalStorage.prototype.getStore);

// importable makes the object that programs import: what() is behind it.
function importable(what) {
  return new Proxy({}, {
    __proto__: null,
    get: (_, key) => ReflectGet(what(), key),
    set: (_, key, value) => ReflectSet(what(), key, value),
    has: (_, key) => ReflectHas(what(), key),
    ownKeys: () => ReflectOwnKeys(what()),
    getOwnPropertyDescriptor(_, key) {
      const descriptor = ObjectGetOwnPropertyDescriptor(what(), key);
      // The target, which has no properties, allows none that can't be changed.
      if (descriptor !== undefined) descriptor.configurable = true;
      return descriptor;
    },
    defineProperty: (_, key, descriptor) => ReflectDefineProperty(what(), key, descriptor),
    deleteProperty: (_, key) => ReflectDeleteProperty(what(), key),
  });
}

// env is also a global, and the second argument of an execution's default export.
export const env = importable(() => store(replaced)?.env ?? environment());
expose({ env });
export const exports = importable(() => store(replaced)?.exports ?? exportsOfWorker);

function requireObject(value, what) {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) throw new TypeError(`${what} must be an object`);
  return value;
}

// withEnv calls a function, and what it begins, with another env behind the one
// that is imported.
export const withEnv = (env, f) => run(replaced, { __proto__: null, env: requireObject(env, "withEnv: env"), exports: store(replaced)?.exports }, f);
export const withExports = (exports, f) => run(replaced, { __proto__: null, env: store(replaced)?.env, exports: requireObject(exports, "withExports: exports") }, f);
export const withEnvAndExports = (env, exports, f) => run(replaced, { __proto__: null, env: requireObject(env, "withEnvAndExports: env"), exports: requireObject(exports, "withEnvAndExports: exports") }, f);
