// The Worker Loader: env.LOADER.load(code) and env.LOADER.get(id, getCode) make
// workers at run time. The host checks the code, and has the workers; what is
// here reads what the program gives, once, in order, and before it goes on.
//
// The message of loader_provide is described in host/worker/provide.go.
import { Error, Set, TypeError } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Reader, Writer, call, start, utf8Encode } from "mayfly:host";
import { LOADER_ENTRYPOINT, LOADER_PROVIDE, LOADER_WAIT } from "mayfly:op.gen";
import { defineKind, handleOf } from "mayfly:binding";
import { bytesOf } from "mayfly:crypto-bytes";
import { defineInterface, requireArguments } from "mayfly:interface";
import { lending, lentStub, makeLent } from "mayfly:rpc";
import {
  ArrayIsArray, ArrayPrototypePush, FunctionPrototypeCall, JSONStringify, NumberIsInteger, ObjectKeys, SetPrototypeAdd, SetPrototypeDelete, StringPrototypeToWellFormed,
  TypedArrayPrototypeGetByteLength, newPromise, promiseThen,
} from "mayfly:primordials";

const { codeOfWorker, endLease, entrypointOfWorker, findWorker, leased } = native;
const symbolDispose = Symbol.dispose;

// ---- reading what a program gives, as Web IDL has it

const isObject = (value) => value !== null && (typeof value === "object" || typeof value === "function");

const wrongField = (field, of, type) => new TypeError(`Incorrect type for the '${field}' field on '${of}': the provided value is not of type '${type}'.`);

const text = (value) => StringPrototypeToWellFormed(`${value}`);

// strings reads an array of strings.
function strings(value) {
  const list = [];
  for (let i = 0, n = value.length; i < n; i++) list[i] = text(value[i]);
  return list;
}

// Kinds of modules, as the host numbers them from 1 on; 0 is one given by a string
// alone.
const KINDS = ["js", "cjs", "text", "data", "json", "py", "wasm"];

// MAX_CODE is how many bytes the modules may have together.
const MAX_CODE = 64 * 1024 * 1024;

function readModule(name, module) {
  if (module !== undefined && module !== null && !isObject(module)) return { __proto__: null, name: text(name), kind: 0, content: text(module) };
  let count = 0;
  let kind;
  let content;
  for (let i = 0; i < KINDS.length; i++) {
    const value = isObject(module) ? module[KINDS[i]] : undefined;
    if (value === undefined) continue;
    count++;
    kind = i + 1;
    content = contentOf(KINDS[i], value);
  }
  if (count !== 1) {
    throw new TypeError(`Each module must contain exactly one of 'js', 'cjs', 'text', 'data', 'json', 'py', or 'wasm'. Module '${name}' contained ${count} properties.`);
  }
  return { __proto__: null, name: text(name), kind, content };
}

// readModules reads all of them, and copies nothing before it is known that they
// are not too large: what is a view of the program's bytes is written before
// load() returns.
function readModules(modules) {
  const names = ObjectKeys(modules);
  const list = [];
  let size = 0;
  for (let i = 0; i < names.length; i++) {
    const module = list[i] = readModule(names[i], modules[names[i]]);
    size += lengthOf(module.content, false);
  }
  if (size > MAX_CODE) {
    size = 0;
    for (let i = 0; i < list.length; i++) size += lengthOf(list[i].content, true);
    throw new Error(`Dynamic Worker code size (${size} bytes) exceeds the maximum allowed size of ${MAX_CODE} bytes.`);
  }
  return { __proto__: null, list, size };
}

// lengthOf is the length of a content in bytes, or of a string one at least.
function lengthOf(content, exact) {
  if (typeof content !== "string") return TypedArrayPrototypeGetByteLength(content);
  return exact ? TypedArrayPrototypeGetByteLength(utf8Encode(content)) : content.length;
}

// contentOf reads a module's content: a string, or a view of bytes.
function contentOf(kind, value) {
  switch (kind) {
    case "data":
    case "wasm": {
      const bytes = bytesOf(value);
      if (bytes === undefined) throw wrongField(kind, "Module", "Array");
      return bytes;
    }
    case "json": {
      const json = JSONStringify(value);
      if (typeof json !== "string") throw wrongField(kind, "Module", "JSON");
      return StringPrototypeToWellFormed(json);
    }
    default: return text(value);
  }
}

// LIMITS are those of workers and entrypoints, in the order of the messages.
const LIMITS = ["cpuMs", "subRequests", "memoryMb", "wallMs"];

// writeLimits writes limits; 0 stands for none. No subrequests at all are -1.
function writeLimits(w, limits, of) {
  if (limits !== undefined && !isObject(limits)) throw wrongField("limits", of, "ResourceLimits");
  for (let i = 0; i < LIMITS.length; i++) {
    const value = limits === undefined ? undefined : limits[LIMITS[i]];
    if (value === undefined) {
      w.f64(0);
      continue;
    }
    const number = +value;
    if (!NumberIsInteger(number)) throw new TypeError("The value cannot be converted because it is not an integer.");
    if (number < 0) throw new TypeError("The value cannot be converted because it is negative and this API expects a positive number.");
    if (number === 0 && LIMITS[i] !== "subRequests") throw new TypeError(`The limit ${LIMITS[i]} must be a positive number.`);
    w.f64(number === 0 ? -1 : number);
  }
}

// CBOR's heads of tags that have a fetch: an entrypoint and a binding.
const TAG = 0xd9;
const SERVICE = 60011;
const BINDING = 60014;

// capabilityOf answers the kind and handle of a Fetcher.
function capabilityOf(value, wrong) {
  if (!isObject(value)) throw wrong();
  const r = new Reader(native.encodeValue(value));
  const message = r.bytes();
  const tag = message[0] === TAG ? message[1] << 8 | message[2] : 0;
  if (r.u32() !== 1 || (tag !== SERVICE && tag !== BINDING)) throw wrong();
  return { __proto__: null, kind: r.u8(), handle: r.u32() };
}

const notFetcher = () => wrongField("globalOutbound", "WorkerCode", "Fetcher");

const INHERIT = 0, BLOCKED = 1, TARGET = 2;

// readCode makes the message of a WorkerCode.
function readCode(worker, code) {
  if (!isObject(code)) throw new TypeError("The code of a dynamic Worker must be an object: 'WorkerCode'.");
  const date = text(code.compatibilityDate);
  const flags = code.compatibilityFlags;
  if (flags !== undefined && !ArrayIsArray(flags)) throw wrongField("compatibilityFlags", "WorkerCode", "Array");
  const list = flags === undefined ? [] : strings(flags);
  const limits = new Writer(32);
  writeLimits(limits, code.limits, "WorkerCode");
  const main = text(code.mainModule);
  const given = code.modules;
  if (!isObject(given) || typeof given === "function" || ArrayIsArray(given)) throw wrongField("modules", "WorkerCode", "object");
  const modules = readModules(given);
  const w = new Writer(modules.size + 64 * modules.list.length + 1024).u32(worker).u8(1).str(date).u32(list.length);
  for (let i = 0; i < list.length; i++) w.str(list[i]);
  w.str(main).u32(modules.list.length);
  for (let i = 0; i < modules.list.length; i++) {
    const { name, kind, content } = modules.list[i];
    w.str(name).u8(kind);
    if (typeof content === "string") w.str(content);
    else w.bytes(content);
  }
  const { env } = code;
  if (env === undefined) {
    w.u8(0).u32(0).u32(0);
  } else {
    if (!isObject(env) || typeof env === "function") throw wrongField("env", "WorkerCode", "Object");
    w.u8(1).raw(native.encodeValue(env));
  }
  const outbound = code.globalOutbound;
  const capabilities = [];
  if (outbound === undefined || outbound === null) {
    w.u8(outbound === null ? BLOCKED : INHERIT);
  } else {
    w.u8(TARGET);
    ArrayPrototypePush(capabilities, capabilityOf(outbound, notFetcher));
  }
  const { tails } = code;
  if (tails !== undefined) {
    if (!ArrayIsArray(tails)) throw wrongField("tails", "WorkerCode", "Array");
    for (let i = 0, n = tails.length; i < n; i++) {
      ArrayPrototypePush(capabilities, capabilityOf(tails[i], () => new TypeError(`Incorrect type for array element ${i}: the provided value is not of type 'Fetcher'.`)));
    }
  }
  w.u32(capabilities.length);
  for (let i = 0; i < capabilities.length; i++) w.u8(capabilities[i].kind).u32(capabilities[i].handle);
  return w.raw(limits.done()).done();
}

// provide gives the host a worker's code.
function provide(worker, code) { lending(() => call(LOADER_PROVIDE, readCode(worker, code))); }

// refuse tells the host why there is none.
function refuse(worker, error) {
  const w = new Writer(256).u32(worker).u8(0);
  if (isObject(error)) w.str(part(error, "name") || "Error").str(part(error, "code")).str(part(error, "message")).str(part(error, "stack"));
  else w.str("Error").str("").str(typeof error === "symbol" ? "Symbol()" : text(error)).str("");
  call(LOADER_PROVIDE, w.u8(0).done());
}

// part reads a string of an error, whatever that is.
function part(error, key) {
  try {
    const value = error[key];
    return typeof value === "string" ? StringPrototypeToWellFormed(value) : "";
  } catch {
    return "";
  }
}

// ---- the classes

let making = false;

function construct() {
  if (!making) throw new TypeError("Illegal constructor");
}

// A WorkerStub stands for a worker that a loader made: a lease (lease.h). One that
// isn't disposed of is given up with its last use, or with the event.
export class WorkerStub {
  constructor() { construct(); }

  getEntrypoint(name = undefined, options = undefined) {
    const worker = leased(this);
    if (worker === 0) throw new Error("The WorkerStub was disposed of.");
    if (name === undefined && options === undefined) return lentStub(entrypointOfWorker(this));
    return makeLent(() => entrypoint(worker, name, options));
  }

  getDurableObjectClass() {
    leased(this);
    throw new Error("Durable Object classes of dynamic Workers are not supported yet.");
  }

  [symbolDispose]() { endLease(this); }
}
defineInterface(WorkerStub);
native.setWorkerPrototype(WorkerStub.prototype);

function entrypoint(worker, name, options) {
  const w = new Writer(128).u32(worker);
  if (name === undefined || name === null) {
    w.u8(0).str("");
  } else {
    const wanted = text(name);
    w.u8(wanted === "default" ? 0 : 1).str(wanted === "default" ? "" : wanted);
  }
  let props;
  let limits;
  if (options !== undefined && options !== null) {
    if (!isObject(options)) throw new TypeError("Failed to execute 'getEntrypoint' on 'WorkerStub': parameter 2 is not of type 'EntrypointOptions'.");
    props = options.props;
    if (props !== undefined && (!isObject(props) || typeof props === "function")) throw wrongField("props", "EntrypointOptions", "Object");
    limits = options.limits;
  }
  if (props === undefined) w.u32(0).u32(0);
  else w.raw(native.encodeValue(props));
  writeLimits(w, limits, "EntrypointOptions");
  return new Reader(call(LOADER_ENTRYPOINT, w.done())).u32();
}

// A WorkerLoader is a binding that makes workers.
export class WorkerLoader {
  #reference;

  constructor(reference) {
    construct();
    this.#reference = reference;
  }

  load(code) {
    const reference = this.#reference;
    requireArguments(arguments.length, 1, "Failed to execute 'load' on 'WorkerLoader'");
    const stub = findWorker(handleOf(reference), null);
    provide(leased(stub), code);
    return stub;
  }

  get(id, getCode) {
    const reference = this.#reference;
    const wanted = id === undefined || id === null ? null : text(id);
    if (typeof getCode !== "function") throw new TypeError("Failed to execute 'get' on 'WorkerLoader': parameter 2 is not of type 'function'.");
    const stub = findWorker(handleOf(reference), wanted);
    const code = codeOfWorker(stub);
    if (code === MISSING) ask(stub, leased(stub), getCode);
    else if (code === AWAITED) inherit(stub, leased(stub), getCode);
    return stub;
  }
}
defineInterface(WorkerLoader);

// What the host says of a worker's code: 0 is that it is there.
const MISSING = 1;
const AWAITED = 2; // of another request

// inherit has the program give the code if the request that is to ends before.
function inherit(stub, worker, getCode) {
  start(LOADER_WAIT, new Writer(4).u32(worker).done(), (answer) => { if (answer[0] === 1) ask(stub, worker, getCode); }, () => {});
}

// waiting are the stubs whose code is asked for: they must not be forgotten.
const waiting = new Set();

// ask has the program give the code, once it has gone on.
function ask(stub, worker, getCode) {
  SetPrototypeAdd(waiting, stub);
  const asked = newPromise((resolve) => resolve());
  const code = promiseThen(asked, () => FunctionPrototypeCall(getCode, undefined));
  const provided = promiseThen(code, (code) => provide(worker, code));
  const done = () => { SetPrototypeDelete(waiting, stub); };
  promiseThen(promiseThen(provided, undefined, (error) => refuse(worker, error)), done, done);
}

defineKind("worker_loader", (reference) => {
  making = true;
  try {
    return new WorkerLoader(reference);
  } finally {
    making = false;
  }
});
