// Stubs: what a worker has of objects elsewhere. https://developers.cloudflare.com/workers/runtime-apis/rpc/
//
// A stub, a property of one, and the promise that a call answers are proxies.
// A call that is made on a promise waits here for what that answers: the way to
// another isolate is short. Its arguments are written at once.
import { Error, Proxy, TypeError } from "mayfly:intrinsics";
import native from "mayfly:native";
import { fetchStub } from "mayfly:fetch";
import { customInspect } from "mayfly:inspect";
import { defineInterface, requireArguments } from "mayfly:interface";
import { drop, isLocal, linkHandle, localLink, requireLink } from "mayfly:rpc-link";
import { copyResult, copyValue, decodeResult, encodeLater, within } from "mayfly:rpc-value";
import { CALL, GET, invoke, lookup, notAFunction, ownMembers } from "mayfly:rpc-target";
import {
  ArrayPrototypeSlice, FunctionPrototypeCall, ObjectDefineProperty, ObjectGetPrototypeOf, PromiseReject, PromiseResolve, ReflectGet, newPromise, promiseThen, uncurryThis,
} from "mayfly:primordials";

const { dispose: SymbolDispose } = Symbol;
const ObjectPrototype = Object.prototype;
const { Request, Promise } = globalThis;
const promiseFinally = uncurryThis(Promise.prototype.finally);

const MAX_PATH = 64;

// What a target of a proxy is.
const STUB = 1;
const SERVICE = 2;
const PROMISE = 3;
const PROPERTY = 4;

// States of the promise of a call.
const PENDING = 0;
const RESOLVED = 1;
const DISPOSED = 2;

// Only functions make proxies that can be called. The proxies alone have these.
const callable = () => () => {};

// ---- proxies

const refuse = () => false;
const traps = {
  __proto__: null,
  has: (target, key) => (typeof key === "string" ? key !== "then" || target.kind >= PROMISE : key in prototypes[target.kind]),
  set: refuse,
  deleteProperty: refuse,
  defineProperty: refuse,
  setPrototypeOf: refuse,
  preventExtensions: refuse,
  ownKeys: () => [],
  getOwnPropertyDescriptor: () => undefined,
  getPrototypeOf: (target) => prototypes[target.kind],
};

const stubHandler = {
  ...traps,
  __proto__: null,
  get(target, key) {
    if (typeof key !== "string" || key === "dup" || key === "constructor") return ReflectGet(RpcStub.prototype, key);
    // A thenable would be awaited wherever a promise is resolved with the stub.
    return key === "then" ? undefined : newProperty(target, key);
  },
  apply: (target, self, args) => begin(target, CALL, args),
};

const serviceHandler = {
  ...traps,
  __proto__: null,
  get(target, key) {
    if (typeof key !== "string" || key === "fetch" || key === "connect" || key === "dup" || key === "constructor") return ReflectGet(Fetcher.prototype, key);
    return key === "then" ? undefined : newProperty(target, key);
  },
  apply: (target, self, args) => target.make(args[0]),
};

const promiseHandler = {
  ...traps,
  __proto__: null,
  get(target, key) {
    if (typeof key !== "string" || key === "then" || key === "catch" || key === "finally" || key === "constructor") return ReflectGet(RpcPromise.prototype, key);
    return newProperty(target, key);
  },
  apply: (target, self, args) => begin(target, CALL, args),
};

const propertyHandler = {
  ...traps,
  __proto__: null,
  get(target, key) {
    if (typeof key !== "string" || key === "then" || key === "catch" || key === "finally" || key === "constructor") return ReflectGet(RpcProperty.prototype, key);
    return newProperty(target, key);
  },
  apply: (target, self, args) => begin(target, CALL, args),
};

native.setStubHandlers([stubHandler, serviceHandler, promiseHandler, propertyHandler]);
const { stubTarget } = native;

// newStub makes a stub of a link, whose hold becomes the stub's.
export function newStub(link) {
  const target = callable();
  target.kind = STUB;
  target.link = link;
  return new Proxy(target, stubHandler);
}

// newService makes a stub that has fetch.
export function newService(link) {
  return new Proxy({ __proto__: null, kind: SERVICE, link }, serviceHandler);
}

// newLoopback makes one that can be called, too: make(options) is its answer.
export function newLoopback(link, make) {
  const target = callable();
  target.kind = SERVICE;
  target.link = link;
  target.make = make;
  return new Proxy(target, serviceHandler);
}

function newProperty(parent, name) {
  const target = callable();
  target.kind = PROPERTY;
  target.parent = parent;
  target.of = name;
  return new Proxy(target, propertyHandler);
}

// stubLink answers { link, service } of a stub or a service, null of the other
// proxies here, and undefined of anything else.
export function stubLink(value) {
  const target = stubTarget(value);
  if (target === undefined) return undefined;
  return target.kind === STUB || target.kind === SERVICE ? target : null;
}

export const isService = (target) => target.kind === SERVICE;

// ---- calls

// begin calls what a target leads to, or gets it: a promise of the result.
function begin(target, kind, args) {
  const path = [];
  let root = target;
  for (; root.kind === PROPERTY; root = root.parent) path[path.length] = root.of;
  for (let i = 0, j = path.length - 1; i < j; i++, j--) {
    const name = path[i];
    path[i] = path[j];
    path[j] = name;
  }
  const answer = callable();
  answer.kind = PROMISE;
  answer.state = PENDING;
  answer.result = undefined;
  answer.local = false;
  answer.promise = newPromise((resolve, reject) => {
    try {
      if (path.length > MAX_PATH) throw new Error(`An RPC path may have at most ${MAX_PATH} properties.`);
      if (root.kind === PROMISE) pipeline(root, kind, path, args, answer, resolve, reject);
      else perform(requireLink(root.link), kind, path, args, answer, resolve, reject);
    } catch (error) {
      reject(error);
    }
  });
  return new Proxy(answer, promiseHandler);
}

// settle ends a call with its result.
function settle(answer, result, resolve) {
  answer.result = result;
  resolve(result);
  if (answer.state === PENDING) {
    answer.state = RESOLVED;
    return;
  }
  // It was disposed of meanwhile: what was called on the promise comes first.
  promiseThen(answer.promise, disposeOf);
}

function disposeOf(value) {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") return;
  const dispose = value[SymbolDispose];
  if (typeof dispose === "function") FunctionPrototypeCall(dispose, value);
}

function perform(link, kind, path, args, answer, resolve, reject) {
  if (isLocal(link)) {
    answer.local = true;
    performLocal(link, kind, path, args, answer, resolve, reject);
    return;
  }
  within(() => native.callStub(linkHandle(link), kind, path, args, (bytes) => {
    let result;
    try {
      result = decodeResult(bytes);
    } catch (error) {
      reject(error);
      return;
    }
    settle(answer, result, resolve);
  }, reject));
}

// performLocal calls an object of this isolate, with copies as if it were
// elsewhere.
function performLocal(link, kind, path, args, answer, resolve, reject) {
  const copied = copyValue(args);
  link.count++;
  const done = () => {
    copied.dispose();
    drop(link);
  };
  promiseThen(promiseThen(soon, () => invoke({ __proto__: null, object: link.object, own: link.own, entrypoint: false, env: undefined, ctx: undefined }, path, kind, copied.value)), (value) => {
    let result;
    try {
      result = copyResult(value);
    } catch (error) {
      done();
      reject(error);
      return;
    }
    done();
    settle(answer, result, resolve);
  }, (error) => {
    done();
    reject(error);
  });
}
const soon = PromiseResolve(undefined);

// pipeline calls something of the result of another call.
function pipeline(before, kind, path, args, answer, resolve, reject) {
  if (before.state === DISPOSED) throw new Error("RPC promise used after being disposed.");
  answer.local = before.local;
  const later = before.local ? copyLater(args) : encodeLater(args);
  promiseThen(before.promise, (value) => {
    try {
      performOn(value, kind, path, later.value, answer, resolve, reject);
    } catch (error) {
      later.abandon();
      reject(error);
      return;
    }
    later.sent();
  }, (error) => {
    later.abandon();
    reject(error);
  });
}

function copyLater(args) {
  const { value, dispose } = copyValue(args);
  return { __proto__: null, value, sent: dispose, abandon: dispose };
}

const nothing = {};

// performOn calls something of a value: what is no stub is looked through here,
// as its isolate would.
function performOn(value, kind, path, args, answer, resolve, reject) {
  let stub = value;
  let rest = 0;
  if (stubTarget(value) === undefined) {
    const plain = typeof value === "object" && value !== null && ObjectGetPrototypeOf(value) === ObjectPrototype;
    const found = lookup(plain ? value : nothing, true, path, false);
    stub = found.stub;
    rest = found.rest;
    if (stub === undefined) {
      if (kind === GET) {
        settle(answer, copyResult(found.value), resolve);
        return;
      }
      if (stubTarget(found.value) === undefined) throw notAFunction(path);
      stub = found.value;
      rest = path.length;
    }
  }
  perform(requireLink(stubTarget(stub).link), kind, rest === 0 ? path : ArrayPrototypeSlice(path, rest), args, answer, resolve, reject);
}

// ---- the classes

const illegal = () => new TypeError("Illegal constructor");

function targetOf(value, kind, what) {
  const target = stubTarget(value);
  if (target === undefined || target.kind !== kind) throw new TypeError(`Illegal invocation: ${what}`);
  return target;
}

function disposeTarget(target) {
  const { link } = target;
  target.link = undefined;
  if (link !== undefined) drop(link);
}
export { disposeTarget };

export class RpcStub {
  constructor(target) {
    requireArguments(arguments.length, 1, "RpcStub constructor");
    const own = (typeof target === "object" && target !== null) || typeof target === "function" ? ownMembers(target) : undefined;
    if (own === undefined || stubTarget(target) !== undefined) throw new TypeError("RpcStubs can only wrap plain objects, functions, and RpcTarget derivatives.");
    return newStub(localLink(target, own));
  }

  dup() {
    const link = requireLink(targetOf(this, STUB, "dup of no RpcStub").link);
    link.count++;
    return newStub(link);
  }

  [SymbolDispose]() { disposeTarget(targetOf(this, STUB, "disposal of no RpcStub")); }
}
defineInterface(RpcStub);

export class Fetcher {
  constructor() { throw illegal(); }

  fetch(input, init = undefined) {
    try {
      requireArguments(arguments.length, 1, "Fetcher.fetch");
      const link = requireLink(targetOf(this, SERVICE, "fetch of no Fetcher").link);
      return fetchStub(new Request(input, init), linkHandle(link));
    } catch (error) {
      return PromiseReject(error);
    }
  }

  connect() { throw new Error("connect() of a service is not supported: use fetch() or a method."); }

  dup() {
    const link = requireLink(targetOf(this, SERVICE, "dup of no Fetcher").link);
    link.count++;
    return newService(link);
  }

  // A binding stays: there is nobody else who could ask for it again.
  [SymbolDispose]() {
    const target = targetOf(this, SERVICE, "disposal of no Fetcher");
    if (target.link === undefined || target.link.reference === undefined) disposeTarget(target);
  }
}
defineInterface(Fetcher);

export class RpcPromise {
  constructor() { throw illegal(); }
  then(fulfilled, rejected) { return promiseThen(targetOf(this, PROMISE, "then of no RpcPromise").promise, fulfilled, rejected); }
  catch(rejected) { return promiseThen(targetOf(this, PROMISE, "catch of no RpcPromise").promise, undefined, rejected); }
  finally(f) { return promiseFinally(targetOf(this, PROMISE, "finally of no RpcPromise").promise, f); }

  [SymbolDispose]() {
    const target = targetOf(this, PROMISE, "disposal of no RpcPromise");
    const { state, result } = target;
    target.state = DISPOSED;
    target.result = undefined;
    if (state === RESOLVED) disposeOf(result);
  }
}
defineInterface(RpcPromise);

// A property is got when somebody waits for it, each time anew.
const gotten = (property, what) => stubTarget(begin(targetOf(property, PROPERTY, what), GET, [])).promise;

export class RpcProperty {
  constructor() { throw illegal(); }
  then(fulfilled, rejected) { return promiseThen(gotten(this, "then of no RpcProperty"), fulfilled, rejected); }
  catch(rejected) { return promiseThen(gotten(this, "catch of no RpcProperty"), undefined, rejected); }
  finally(f) { return promiseFinally(gotten(this, "finally of no RpcProperty"), f); }
}
defineInterface(RpcProperty);

for (const { name, prototype } of [RpcStub, Fetcher, RpcPromise, RpcProperty]) {
  ObjectDefineProperty(prototype, customInspect, { __proto__: null, value: () => `${name} {}`, writable: true, enumerable: false, configurable: true });
}

const prototypes = [undefined, RpcStub.prototype, Fetcher.prototype, RpcPromise.prototype, RpcProperty.prototype];
