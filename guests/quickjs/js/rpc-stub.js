// Stubs: what a worker has of objects elsewhere. https://developers.cloudflare.com/workers/runtime-apis/rpc/
//
// What they are made of is in stub.h, and most calls are made in call.h. One on a
// promise waits here for what that answers: the way to another isolate is short.
// Its arguments are written at once.
import { Error, TypeError } from "mayfly:intrinsics";
import native from "mayfly:native";
import { fetchStub } from "mayfly:fetch";
import { customInspect } from "mayfly:inspect";
import { defineInterface, requireArguments } from "mayfly:interface";
import { connectStub } from "mayfly:socket";
import { drop, isLocal, linkHandle, localLink, requireLink } from "mayfly:rpc-link";
import { beginMessage, copyResult, copyValue, decodeResult, encodeLater, endMessage, failMessage } from "mayfly:rpc-value";
import { CALL, GET, invoke, lookup, notAFunction, ownMembers } from "mayfly:rpc-target";
import {
  ArrayPrototypeSlice, FunctionPrototypeCall, ObjectDefineProperty, ObjectGetPrototypeOf, PromiseReject, PromiseResolve, newPromise, promiseThen, uncurryThis,
} from "mayfly:primordials";

const { dispose: SymbolDispose } = Symbol;
const ObjectPrototype = Object.prototype;
const { Request, Promise } = globalThis;
const promiseFinally = uncurryThis(Promise.prototype.finally);
const { newStub: make, settlePromise, stubKind, stubPath, stubState } = native;

const MAX_PATH = 64;

// Kinds, as stub.h has them.
const STUB = 1;
const SERVICE = 2;
const LOOPBACK = 3;
const PROMISE = 4;
const PROPERTY = 5;

// States of the promise of a call.
const PENDING = 0;
const RESOLVED = 1;
const DISPOSED = 2;

// newStub makes a stub of a link, whose hold becomes the stub's.
export const newStub = (link) => make(STUB, { __proto__: null, kind: STUB, link, make: undefined });

// newService makes a stub that has fetch.
export const newService = (link) => make(SERVICE, { __proto__: null, kind: SERVICE, link, make: undefined });

// newLoopback makes one that can be called, too: makeOf(options) is its answer.
export const newLoopback = (link, makeOf) => make(LOOPBACK, { __proto__: null, kind: LOOPBACK, link, make: makeOf });

// stubLink answers the state of a stub or a service, null of promises and
// properties, and undefined of anything else.
export function stubLink(value) {
  const kind = stubKind(value);
  return kind === 0 ? undefined : kind < PROMISE ? stubState(value) : null;
}

export const isService = (state) => state.kind !== STUB;

// ---- calls

// begin calls what a path leads to from a state, or gets it where there are no
// arguments: the state of the promise of the result.
function begin(root, path, args) {
  const answer = { __proto__: null, kind: PROMISE, state: PENDING, result: undefined, local: false, promise: undefined };
  answer.promise = newPromise((resolve, reject) => {
    try {
      if (path.length > MAX_PATH) throw new Error(`An RPC path may have at most ${MAX_PATH} properties.`);
      if (root.kind === PROMISE) pipeline(root, path, args, answer, resolve, reject);
      else perform(requireLink(root.link), path, args, answer, resolve, reject);
    } catch (error) {
      reject(error);
    }
  });
  return answer;
}

function call(root, path, args) {
  if (root.kind === LOOPBACK && path.length === 0) return root.make(args[0]);
  return make(PROMISE, begin(root, path, args));
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

function perform(link, path, args, answer, resolve, reject) {
  if (isLocal(link)) {
    answer.local = true;
    performLocal(link, path, args, answer, resolve, reject);
    return;
  }
  const outer = beginMessage(true);
  try {
    native.callStub(linkHandle(link), args === undefined ? GET : CALL, path, args ?? none, (bytes) => {
      try {
        settle(answer, decodeResult(bytes), resolve);
      } catch (error) {
        reject(error);
      }
    }, reject);
  } catch (error) {
    failMessage(outer);
    throw error;
  }
  endMessage(outer);
}
const none = [];

// performLocal calls an object of this isolate, with copies as if it were
// elsewhere.
function performLocal(link, path, args, answer, resolve, reject) {
  const copied = args === undefined ? nothing : copyValue(args);
  link.count++;
  const done = () => {
    copied.dispose();
    drop(link);
  };
  promiseThen(promiseThen(soon, () => invoke({ __proto__: null, object: link.object, own: link.own, entrypoint: false, env: undefined, ctx: undefined }, path, args === undefined ? GET : CALL, copied.value)), (value) => {
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
function pipeline(before, path, args, answer, resolve, reject) {
  if (before.state === DISPOSED) throw new Error("RPC promise used after being disposed.");
  answer.local = before.local;
  const later = args === undefined ? nothing : before.local ? copyLater(args) : encodeLater(args);
  promiseThen(before.promise, (value) => {
    try {
      performOn(value, path, later.value, answer, resolve, reject);
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

// What of a get stands for arguments.
const nothing = { __proto__: null, value: undefined, sent() {}, abandon() {}, dispose() {} };
const empty = {};

// performOn calls something of a value: what is no stub is looked through here,
// as its isolate would.
function performOn(value, path, args, answer, resolve, reject) {
  let stub = value;
  let rest = 0;
  if (stubKind(value) === 0) {
    const plain = typeof value === "object" && value !== null && ObjectGetPrototypeOf(value) === ObjectPrototype;
    const found = lookup(plain ? value : empty, true, path, false);
    stub = found.stub;
    rest = found.rest;
    if (stub === undefined) {
      if (args === undefined) {
        settle(answer, copyResult(found.value), resolve);
        return;
      }
      if (stubKind(found.value) === 0) throw notAFunction(path);
      stub = found.value;
      rest = path.length;
    }
  }
  perform(requireLink(stubState(stub).link), rest === 0 ? path : ArrayPrototypeSlice(path, rest), args, answer, resolve, reject);
}

// ---- the classes

const illegal = () => new TypeError("Illegal constructor");

function stateOf(value, kind, what) {
  const of = stubKind(value);
  if (of !== kind && (kind !== SERVICE || of !== LOOPBACK)) throw new TypeError(`Illegal invocation: ${what}`);
  return stubState(value);
}

// disposeState gives up what a stub holds.
export function disposeState(state) {
  const { link } = state;
  state.link = undefined;
  if (link !== undefined) drop(link);
}

export class RpcStub {
  constructor(target) {
    requireArguments(arguments.length, 1, "RpcStub constructor");
    const own = (typeof target === "object" && target !== null) || typeof target === "function" ? ownMembers(target) : undefined;
    if (own === undefined || stubKind(target) !== 0) throw new TypeError("RpcStubs can only wrap plain objects, functions, and RpcTarget derivatives.");
    return newStub(localLink(target, own));
  }

  dup() {
    const link = requireLink(stateOf(this, STUB, "dup of no RpcStub").link);
    link.count++;
    return newStub(link);
  }

  [SymbolDispose]() { disposeState(stateOf(this, STUB, "disposal of no RpcStub")); }
}
defineInterface(RpcStub);

export class Fetcher {
  constructor() { throw illegal(); }

  fetch(input, init = undefined) {
    try {
      requireArguments(arguments.length, 1, "Fetcher.fetch");
      const link = requireLink(stateOf(this, SERVICE, "fetch of no Fetcher").link);
      return fetchStub(new Request(input, init), linkHandle(link));
    } catch (error) {
      return PromiseReject(error);
    }
  }

  connect(address, options = undefined) {
    requireArguments(arguments.length, 1, "Fetcher.connect");
    return connectStub(linkHandle(requireLink(stateOf(this, SERVICE, "connect of no Fetcher").link)), address, options);
  }

  dup() {
    const link = requireLink(stateOf(this, SERVICE, "dup of no Fetcher").link);
    link.count++;
    return newService(link);
  }

  // A binding stays: there is nobody else who could ask for it again.
  [SymbolDispose]() {
    const state = stateOf(this, SERVICE, "disposal of no Fetcher");
    if (state.link === undefined || state.link.reference === undefined) disposeState(state);
  }
}
defineInterface(Fetcher);

export class RpcPromise {
  constructor() { throw illegal(); }
  catch(rejected) { return promiseThen(stateOf(this, PROMISE, "catch of no RpcPromise").promise, undefined, rejected); }
  finally(f) { return promiseFinally(stateOf(this, PROMISE, "finally of no RpcPromise").promise, f); }

  [SymbolDispose]() {
    const promise = stateOf(this, PROMISE, "disposal of no RpcPromise");
    const { state, result } = promise;
    promise.state = DISPOSED;
    promise.result = undefined;
    if (state === RESOLVED) disposeOf(result);
  }
}
ObjectDefineProperty(RpcPromise.prototype, "then", { __proto__: null, value: native.thenOfCall, writable: true, enumerable: true, configurable: true });
defineInterface(RpcPromise);

// A property is got when somebody waits for it, each time anew.
function gotten(property) {
  const parts = stubPath(property);
  return begin(parts[0], parts[1], undefined).promise;
}

export class RpcProperty {
  constructor() { throw illegal(); }
  then(fulfilled, rejected) { return promiseThen(gotten(this), fulfilled, rejected); }
  catch(rejected) { return promiseThen(gotten(this), undefined, rejected); }
  finally(f) { return promiseFinally(gotten(this), f); }
}
defineInterface(RpcProperty);

for (const { name, prototype } of [RpcStub, Fetcher, RpcPromise, RpcProperty]) {
  ObjectDefineProperty(prototype, customInspect, { __proto__: null, value: () => `${name} {}`, writable: true, enumerable: false, configurable: true });
}

// settleCall ends a call that call.h began: its result may have stubs in it, or it
// was disposed of meanwhile.
export function settleCall(answer, bytes) {
  const { promise } = answer;
  try {
    settle(answer, decodeResult(bytes), (result) => settlePromise(promise, result, false));
  } catch (error) {
    settlePromise(promise, error, true);
  }
}

native.setStubs({ __proto__: null, prototypes: [undefined, RpcStub.prototype, Fetcher.prototype, Fetcher.prototype, RpcPromise.prototype, RpcProperty.prototype], call });
