// process, the small one that programs ask for arguments, environment, streams
// and the end of the run. process.versions has no node: packages that ask for
// it mean to use what is not here (native addons, child processes); version
// does follow node's form, since many parse it without asking.
//
// Missing on purpose: signals, uids, binding(), chdir beyond a note of the
// directory, and streams as node has them (stdout is what write() needs).
import { BigInt, Error, Math, Object, Proxy, Symbol, TypeError } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Writer, call } from "mayfly:host";
import { EXIT, FS_STAT, STDIN } from "mayfly:op.gen";
import { STDERR, STDOUT, writeBytes, writeText } from "mayfly:console";
import { asBuffer, decodeText, encodeText } from "mayfly:buffer";
import { EventEmitter } from "mayfly:emitter";
import { cwd, setCwd, startRun } from "mayfly:run";
import { bytesOf } from "mayfly:crypto";
import { now } from "mayfly:clock";
import { coded, invalidArgType, systemError } from "mayfly:node-errors";
import { posix } from "mayfly:path";
import { expose } from "mayfly:interface";
import { ArrayPrototypePush, ArrayPrototypeSlice, ObjectAssign, ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ReflectApply, ReflectOwnKeys, StringPrototypeIncludes } from "mayfly:primordials";

const NODE_VERSION = "v22.0.0";

class Process extends EventEmitter {}

export const process = new Process();

function constant(name, value) {
  ObjectDefineProperty(process, name, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
}

constant("title", "mayfly");
constant("version", NODE_VERSION);
constant("versions", Object.freeze({ mayfly: "0.1.0", quickjs: "0.17.0" }));
constant("release", Object.freeze({ name: "mayfly" }));
constant("platform", "linux");
constant("arch", "wasm32");
constant("pid", 1);
constant("ppid", 0);
constant("execPath", "/usr/bin/mayfly");
constant("execArgv", []);
constant("argv0", "mayfly");
constant("features", Object.freeze({}));
constant("config", Object.freeze({ variables: Object.freeze({}) }));
// The objects that differ from run to run are there from boot, so that
// node:process can export them; startProcess fills them.
const argv = [];
const values = {};
let shownArguments = argv;
let known = { __proto__: null }; // the environment as it was told last
ObjectDefineProperty(process, "argv", {
  __proto__: null, enumerable: true, configurable: true,
  get() {
    native.announce();
    return shownArguments;
  },
  set(value) {
    native.announce();
    shownArguments = value;
  },
});
constant("env", environment(values));

export function startProcess(told) {
  startRun(told);
  argv[0] = "/usr/bin/mayfly";
  argv[1] = absolute(told.name, told.cwd);
  for (let i = 0; i < told.args.length; i++) argv[i + 2] = told.args[i];
  argv.length = told.args.length + 2;
  // In a session, what the program has changed stays as it is.
  const names = ReflectOwnKeys(told.env);
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    if (told.env[name] !== known[name]) values[name] = told.env[name];
  }
  known = told.env;
}

// forgetTicks drops those that are due.
export function forgetTicks() {
  ticks = [];
  nextTickAt = 0;
  native.forgetTicks();
}

// beginCell forgets what a cell of a session has for itself.
export function beginCell() {
  input = undefined;
  forgetTicks();
  exiting = false;
  exitCode = undefined;
}

// extendEnvironment adds what an invocation of a prepared program is told.
export function extendEnvironment(env) {
  native.announce();
  ObjectAssign(values, env);
}

// Resolving costs more than all else that begins a run: names are mostly plain.
function absolute(name, directory) {
  if (StringPrototypeIncludes(name, "./") || StringPrototypeIncludes(name, "//")) return posix.resolve(name);
  if (name[0] === "/") return name;
  return directory === "/" || directory === "" ? `/${name}` : `${directory}/${name}`;
}

// As in node, what is put into the environment becomes a string.
function environment(values) {
  return new Proxy(values, {
    __proto__: null,
    get(target, key) {
      native.announce();
      return target[key];
    },
    has(target, key) {
      native.announce();
      return key in target;
    },
    ownKeys(target) {
      native.announce();
      return ReflectOwnKeys(target);
    },
    getOwnPropertyDescriptor(target, key) {
      native.announce();
      return ObjectGetOwnPropertyDescriptor(target, key);
    },
    deleteProperty(target, key) {
      native.announce();
      return delete target[key];
    },
    set(target, key, value) {
      native.announce();
      if (typeof key === "symbol") throw new TypeError("Cannot convert a Symbol value to a string");
      target[key] = `${value}`;
      return true;
    },
    defineProperty(target, key, descriptor) {
      native.announce();
      if ("value" in descriptor) descriptor = { ...descriptor, value: `${descriptor.value}`, writable: true, enumerable: true, configurable: true };
      return ObjectDefineProperty(target, key, descriptor) === target;
    },
  });
}

let exitCode;
ObjectDefineProperty(process, "exitCode", {
  __proto__: null, enumerable: true, configurable: true,
  get: () => exitCode,
  set(code) {
    if (code !== undefined && code !== null) requireCode(code);
    exitCode = code;
    native.watchEnd();
  },
});

function requireCode(code) {
  const n = typeof code === "string" && code !== "" ? +code : code;
  if (typeof n !== "number" || n !== n >> 0) throw invalidArgType("code", "an integer", code);
  return n;
}

const endWith = (code) => call(EXIT, new Writer(4).u32(code & 0xff).done());

let capture = null;
let exiting = false;
function announceExit(code) {
  if (exiting) return;
  exiting = true;
  process.emit("exit", code);
}

// Ticks run before other microtasks, each in a call of its own: callbacks and
// their arguments, in turns.
let ticks = [];
let nextTickAt = 0;
export function tick() {
  const callback = ticks[nextTickAt];
  const args = ticks[nextTickAt + 1];
  nextTickAt += 2;
  if (nextTickAt === ticks.length) {
    ticks = [];
    nextTickAt = 0;
  } else if (nextTickAt > 1024) {
    ticks = ArrayPrototypeSlice(ticks, nextTickAt);
    nextTickAt = 0;
  }
  ReflectApply(callback, undefined, args);
}

const methods = {
  cwd,
  chdir(directory) {
    if (typeof directory !== "string") throw invalidArgType("directory", "of type string", directory);
    const path = posix.resolve(directory);
    let directoryType;
    try {
      directoryType = call(FS_STAT, new Writer().str(path).done())[0];
    } catch (error) {
      throw systemError(error.code, "chdir", cwd(), directory) ?? error;
    }
    if (directoryType !== 2) throw systemError("ENOTDIR", "chdir", cwd(), directory);
    setCwd(path);
  },
  exit(code = undefined) {
    if (code !== undefined && code !== null) exitCode = requireCode(code);
    announceExit(exitCode ?? 0);
    endWith(exitCode ?? 0);
  },
  nextTick(callback, ...args) {
    if (typeof callback !== "function") throw invalidArgType("callback", "of type function", callback);
    ArrayPrototypePush(ticks, native.bindContext(callback), args);
    native.dueTick();
  },
  hrtime(since = undefined) {
    const ms = now();
    let seconds = Math.floor(ms / 1000);
    let nanoseconds = Math.round((ms - seconds * 1000) * 1e6);
    if (since !== undefined) {
      seconds -= since[0];
      nanoseconds -= since[1];
      if (nanoseconds < 0) {
        seconds--;
        nanoseconds += 1e9;
      }
    }
    return [seconds, nanoseconds];
  },
  uptime: () => now() / 1000,
  memoryUsage() {
    const { used, total } = native.memory();
    return { rss: total, heapTotal: total, heapUsed: used, external: 0, arrayBuffers: 0 };
  },
  cpuUsage() {
    return { user: Math.round(now() * 1000), system: 0 };
  },
  umask: () => 0o22,
  emitWarning(warning, type = undefined, code = undefined) {
    let detail;
    if (typeof type === "object" && type !== null) ({ type, code, detail } = type);
    if (typeof warning === "string") {
      const message = warning;
      warning = new Error(message);
      ObjectDefineProperty(warning, "name", { __proto__: null, value: `${type ?? "Warning"}`, writable: true, configurable: true, enumerable: false });
      if (code !== undefined) warning.code = code;
      if (detail !== undefined) warning.detail = detail;
    } else if (!(warning instanceof Error)) {
      throw invalidArgType("warning", "of type string or an instance of Error", warning);
    }
    if (warning.name === "DeprecationWarning" && process.noDeprecation) return;
    methods.nextTick(() => {
      const shown = warning.code === undefined ? "" : `[${warning.code}] `;
      writeText(STDERR, `(mayfly) ${shown}${warning.name}: ${warning.message}\n${warning.detail === undefined ? "" : `${warning.detail}\n`}`);
      process.emit("warning", warning);
    });
  },
  getBuiltinModule(id) {
    const namespace = native.builtin(`${id}`.startsWith("node:") ? id : `node:${id}`);
    return namespace?.default ?? namespace;
  },
  kill(pid, signal) { throw coded(new Error(`process.kill is not available: there is no process ${pid} to signal`), "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM"); },
  resourceUsage: () => ({ userCPUTime: Math.round(now() * 1000), systemCPUTime: 0, maxRSS: native.memory().total >>> 10 }),
  availableMemory: () => native.memory().total - native.memory().used,
  constrainedMemory: () => native.memory().total,
  setSourceMapsEnabled() {},
  hasUncaughtExceptionCaptureCallback: () => capture !== null,
  setUncaughtExceptionCaptureCallback(f) {
    if (f !== null && typeof f !== "function") throw invalidArgType("fn", "of type function or null", f);
    capture = f;
  },
  abort() { endWith(134); },
};
for (const name of Object.keys(methods)) constant(name, methods[name]);
process.hrtime.bigint = () => BigInt(Math.round(now() * 1e6));
process.memoryUsage.rss = () => native.memory().total;

// ---- streams

function output(fd) {
  const stream = new EventEmitter();
  Object.assign(stream, {
    fd,
    isTTY: false,
    writable: true,
    columns: undefined,
    write(chunk, encoding = undefined, callback = undefined) {
      if (typeof encoding === "function") [encoding, callback] = [undefined, encoding];
      if (typeof chunk === "string") {
        if (encoding === undefined || encoding === "utf8" || encoding === "utf-8") writeText(fd, chunk);
        else writeBytes(fd, encodeText(chunk, encoding));
      } else {
        const bytes = bytesOf(chunk);
        if (bytes === undefined) throw invalidArgType("chunk", "of type string or an instance of Buffer, TypedArray, or DataView", chunk);
        writeBytes(fd, bytes);
      }
      if (typeof callback === "function") process.nextTick(callback);
      return true;
    },
    end(chunk = undefined, encoding = undefined, callback = undefined) {
      if (typeof chunk === "function") [chunk, callback] = [undefined, chunk];
      if (chunk !== undefined && chunk !== null) stream.write(chunk, encoding);
      if (typeof callback === "function") process.nextTick(callback);
      return stream;
    },
    cork() {},
    uncork() {},
    getColorDepth: () => 1,
    hasColors: () => false,
  });
  return stream;
}
constant("stdout", output(STDOUT));
constant("stderr", output(STDERR));

// readInput answers the whole standard input. It is there from the start.
let input;
export function readInput() {
  input ??= call(STDIN);
  return input;
}

function inputStream() {
  const stream = new EventEmitter();
  let encoding;
  let flowing = false;
  let ended = false;
  const all = () => (encoding === undefined ? asBuffer(readInput()) : decodeText(readInput(), encoding));
  const take = () => {
    if (ended) return null;
    ended = true;
    const chunk = all();
    return chunk.length > 0 ? chunk : null;
  };
  const flow = () => {
    if (flowing) return;
    flowing = true;
    process.nextTick(() => {
      const chunk = take();
      if (chunk !== null) stream.emit("data", chunk);
      stream.emit("end");
      stream.emit("close");
    });
  };
  const on = stream.on;
  Object.assign(stream, {
    fd: 0,
    isTTY: false,
    readable: true,
    setEncoding(name) {
      encoding = name;
      return stream;
    },
    read: take,
    resume() {
      flow();
      return stream;
    },
    pause: () => stream,
    ref: () => stream,
    unref: () => stream,
    destroy: () => stream,
    on(type, listener) {
      on.call(stream, type, listener);
      if (type === "data") flow();
      if (type === "readable") process.nextTick(() => { stream.emit("readable"); if (ended) stream.emit("end"); });
      return stream;
    },
    pipe(to) {
      stream.on("data", (chunk) => to.write(chunk));
      stream.once("end", () => { if (to !== process.stdout && to !== process.stderr) to.end(); });
      return to;
    },
    async *[Symbol.asyncIterator]() {
      const chunk = take();
      if (chunk !== null) yield chunk;
    },
  });
  stream.addListener = stream.on;
  return stream;
}
constant("stdin", inputStream());

// ---- the guest's hooks

// uncaughtError lets process.on take over what nobody caught.
export function uncaughtError(error, rejection, promise) {
  if (rejection && process.listenerCount("unhandledRejection") > 0) {
    process.emit("unhandledRejection", error, promise);
    return true;
  }
  const origin = rejection ? "unhandledRejection" : "uncaughtException";
  if (process.listenerCount("uncaughtExceptionMonitor") > 0) process.emit("uncaughtExceptionMonitor", error, origin);
  if (capture !== null) {
    capture(error);
    return true;
  }
  if (process.listenerCount("uncaughtException") > 0) {
    process.emit("uncaughtException", error, origin);
    return true;
  }
  return false;
}

export function beforeExit() {
  process.emit("beforeExit", exitCode ?? 0);
}

export function finish() {
  announceExit(exitCode ?? 0);
  if (exitCode) endWith(exitCode);
}

expose({ process, global: globalThis });
