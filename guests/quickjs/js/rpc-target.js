// What can be called from elsewhere: instances of RpcTarget, functions, plain
// objects, and the entrypoints of a worker. Which of their members are visible
// is as in Workers: of a class's instance what its prototype has, of plain
// objects and functions what they have of their own.
import { TypeError } from "mayfly:intrinsics";
import native from "mayfly:native";
import {
  ArrayPrototypeJoin, ObjectGetPrototypeOf, ReflectApply,
} from "mayfly:primordials";

const ObjectPrototype = Object.prototype;
const { member: visible } = native;

export class RpcTarget {}
const RpcTargetPrototype = RpcTarget.prototype;

// Kinds of calls, as the operation stub_call has them.
export const CALL = 0;
export const GET = 1;

// isRpcTarget asks for RpcTarget in the chain of prototypes: a Proxy may say
// that it has it.
export function isRpcTarget(object) {
  for (let p = ObjectGetPrototypeOf(object); p !== null; p = ObjectGetPrototypeOf(p)) {
    if (p === RpcTargetPrototype) return true;
  }
  return false;
}

// ownMembers answers whether an object's own members are the visible ones;
// undefined if it can't be called from elsewhere.
export function ownMembers(object) {
  const proto = ObjectGetPrototypeOf(object);
  if (proto === ObjectPrototype) return true;
  if (proto !== null && isRpcTarget(object)) return false;
  return typeof object === "function" ? true : undefined;
}

function notImplemented(name) {
  return new TypeError(`The RPC receiver does not implement the method "${name}".`);
}

// Names that an entrypoint has other uses for, and that every target has.
const reserved = { __proto__: null, dup: 2, constructor: 2, fetch: 1, connect: 1, alarm: 1, webSocketMessage: 1, webSocketClose: 1, webSocketError: 1 };

function member(object, name, own, entrypoint) {
  if (reserved[name] >= (entrypoint ? 1 : 2)) throw new TypeError(`'${name}' is a reserved method and cannot be called over RPC.`);
  return visible(object, name, own);
}

// lookup follows a path of names. It answers { value, receiver }, or, where the
// path leads through a stub, { stub, rest }: the proxy and the names behind it.
export function lookup(object, own, path, entrypoint) {
  const last = path.length - 1;
  if (last < 0) return { __proto__: null, value: object, receiver: undefined, stub: undefined, rest: 0 };
  for (let i = 0; ; i++) {
    const name = path[i];
    const value = member(object, name, own, entrypoint);
    if (i === last) return { __proto__: null, value, receiver: object, stub: undefined, rest: 0 };
    if ((typeof value !== "object" || value === null) && typeof value !== "function") throw notImplemented(name);
    entrypoint = false;
    if (native.stubKind(value) !== 0) return { __proto__: null, value: undefined, receiver: undefined, stub: value, rest: i + 1 };
    own = ownMembers(value);
    if (own === undefined) throw notImplemented(name);
    object = value;
  }
}

// spelled is how a path is called in messages.
const spelled = (path) => (path.length === 0 ? "(this)" : ArrayPrototypeJoin(path, "."));

export const notAFunction = (path) => new TypeError(`"${spelled(path)}" is not a function.`);

// withContext makes the arguments of a handler of a plain object, which are
// (argument, env, ctx).
function withContext(method, path, args, env, ctx) {
  const arity = +method.length;
  if (!(arity >= 0 && arity < 256)) throw new TypeError(`RPC function has unreasonable length attribute: ${arity}`);
  if (arity > 3) {
    throw new TypeError(`Cannot call handler function "${spelled(path)}" over RPC because it has the wrong number of arguments. A simple function handler can only be called over RPC if it has exactly the arguments (arg, env, ctx), where only the first argument comes from the client. To support multi-argument RPC functions, use class-based syntax (extending WorkerEntrypoint) instead.`);
  }
  if (args.length !== 1) {
    throw new TypeError(`Attempted to call RPC function "${spelled(path)}" with the wrong number of arguments. When calling a top-level handler function that is not declared as part of a class, you must always send exactly one argument. In order to support variable numbers of arguments, the server must use class-based syntax (extending WorkerEntrypoint) instead.`);
  }
  return [args[0], env, ctx];
}

// invoke calls a method of a target, or gets a property: the value, or a promise
// of it. A receiver is { object, own, entrypoint, env, ctx }; ctx is undefined
// unless handlers get it as an argument.
export function invoke(receiver, path, kind, args) {
  if (path.length === 1) {
    const value = member(receiver.object, path[0], receiver.own, receiver.entrypoint);
    return kind === GET ? value : apply(value, receiver.object, receiver, path, args);
  }
  const found = lookup(receiver.object, receiver.own, path, receiver.entrypoint);
  if (found.stub !== undefined) {
    let at = found.stub;
    for (let i = found.rest; i < path.length; i++) at = at[path[i]];
    return kind === GET ? at : ReflectApply(at, undefined, args);
  }
  return kind === GET ? found.value : apply(found.value, found.receiver, receiver, path, args);
}

// invokeMethod calls a method of an entrypoint's instance.
export function invokeMethod(object, name, args) {
  const method = member(object, name, false, true);
  if (typeof method !== "function") throw notAFunction([name]);
  return ReflectApply(method, object, args);
}

function apply(method, object, receiver, path, args) {
  if (typeof method !== "function") throw notAFunction(path);
  return ReflectApply(method, object, receiver.ctx === undefined ? args : withContext(method, path, args, receiver.env, receiver.ctx));
}
