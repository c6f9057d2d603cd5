// env: the bindings of the execution and, where none has the name, the
// environment variables. Programs get it by worker-env.js.
import { Proxy } from "mayfly:intrinsics";
import { bindingNames, bindingOf } from "mayfly:binding";
import { process } from "mayfly:process";
import "mayfly:kv";
import "mayfly:r2";
import "mayfly:fetcher";
import {
  ArrayPrototypePush, ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ObjectHasOwn, ReflectGet, ReflectOwnKeys,
} from "mayfly:primordials";

const variables = process.env;
const bound = (key) => typeof key === "string" && key in bindingNames();

// What a program puts into env in place of a binding is in the target.
export const env = new Proxy({}, {
  __proto__: null,
  get(target, key) {
    if (ObjectHasOwn(target, key)) return ReflectGet(target, key);
    return bound(key) ? bindingOf(key) : variables[key];
  },
  has(target, key) { return ObjectHasOwn(target, key) || bound(key) || key in variables; },
  ownKeys(target) {
    const keys = ReflectOwnKeys(target);
    const add = (more) => {
      for (let i = 0; i < more.length; i++) {
        if (!includes(keys, more[i])) ArrayPrototypePush(keys, more[i]);
      }
    };
    add(ReflectOwnKeys(bindingNames()));
    add(ReflectOwnKeys(variables));
    return keys;
  },
  getOwnPropertyDescriptor(target, key) {
    if (ObjectHasOwn(target, key)) return ObjectGetOwnPropertyDescriptor(target, key);
    if (bound(key)) return { value: bindingOf(key), writable: true, enumerable: true, configurable: true };
    return ObjectGetOwnPropertyDescriptor(variables, key);
  },
  set(target, key, value) {
    if (bound(key) || typeof value !== "string") ObjectDefineProperty(target, key, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
    else variables[key] = value;
    return true;
  },
  deleteProperty(target, key) {
    delete target[key];
    return bound(key) || delete variables[key];
  },
});

function includes(list, value) {
  for (let i = 0; i < list.length; i++) {
    if (list[i] === value) return true;
  }
  return false;
}
