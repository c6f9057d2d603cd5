// node:fs over the host's files: the synchronous calls, and from them the
// callback and the promise forms, since the files are in memory and nothing
// waits.
//
// Missing on purpose: file descriptors but standard input (open, read, write,
// FileHandle), streams, links, watching, owners and modes that change. They are
// absent, not stubs, so that a feature test answers truly.
import { ArrayBuffer, Date, Error, Math, Number, Object, RangeError, Symbol, TypeError, Uint8Array } from "mayfly:intrinsics";
import { Reader, Writer, call, utf8Decode } from "mayfly:host";
import { FS_COPY, FS_MKDIR, FS_READ, FS_READDIR, FS_RENAME, FS_RM, FS_STAT, FS_TRUNCATE, FS_WRITE } from "mayfly:op.gen";
import { asBuffer, decodeText, encodeText, normalEncoding } from "mayfly:buffer";
import { bytesOf, crypto } from "mayfly:crypto";
import { STDERR, STDOUT, writeBytes } from "mayfly:console";
import { readInput } from "mayfly:process";
import { coded, invalidArgType, invalidArgValue, outOfRange, systemError } from "mayfly:node-errors";
import { fileURLToPath } from "mayfly:file-url";
import { posix } from "mayfly:path";
import {
  ArrayPrototypePush, ReflectApply, StringPrototypeEndsWith, StringPrototypeIncludes, TypedArrayPrototypeGetByteLength, bytesCopy,
  bytesSubarray, newPromise, promiseThen,
} from "mayfly:primordials";

const { resolve } = posix;
const { queueMicrotask } = globalThis;

export const constants = Object.freeze({
  __proto__: null,
  F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1,
  O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, O_CREAT: 64, O_EXCL: 128, O_TRUNC: 512, O_APPEND: 1024,
  S_IFMT: 0o170000, S_IFREG: 0o100000, S_IFDIR: 0o040000, S_IFLNK: 0o120000,
  COPYFILE_EXCL: 1, COPYFILE_FICLONE: 2, COPYFILE_FICLONE_FORCE: 4,
  UV_FS_COPYFILE_EXCL: 1,
});

const FILE = 1;
const DIRECTORY = 2;

// ---- arguments

// pathOf answers a path as the program gave it.
function pathOf(value, name = "path") {
  let path;
  if (typeof value === "string") {
    path = value;
  } else if (value !== null && typeof value === "object") {
    const bytes = bytesOf(value);
    if (bytes !== undefined && !(value instanceof ArrayBuffer)) path = utf8Decode(bytes);
    else if (typeof value.href === "string" && typeof value.protocol === "string") path = fileURLToPath(value);
  }
  if (path === undefined) throw invalidArgType(name, "of type string or an instance of Buffer or URL", value);
  if (StringPrototypeIncludes(path, "\0")) {
    throw invalidArgValue(name, path, "must be a string, Uint8Array, or URL without null bytes");
  }
  return path;
}

// absolute resolves against the working directory; the empty path is no path,
// and a slash at the end asks for a directory.
function absolute(path, syscall) {
  if (path === "") throw systemError("ENOENT", syscall, path);
  const full = resolve(path);
  if (full !== "/" && StringPrototypeEndsWith(path, "/") && typeAt(full) === FILE) throw systemError("ENOTDIR", syscall, path);
  return full;
}

function optionsOf(options, defaults) {
  if (options === undefined || options === null || typeof options === "function") return defaults;
  if (typeof options === "string") options = { __proto__: null, encoding: options };
  else if (typeof options !== "object") throw invalidArgType("options", "of type string or an instance of Object", options);
  const { encoding } = options;
  if (encoding !== undefined && encoding !== null && encoding !== "buffer" && normalEncoding(encoding) === undefined) {
    throw invalidArgValue("encoding", encoding, "is invalid encoding");
  }
  return options;
}

const decoded = (bytes, encoding) =>
  (encoding === undefined || encoding === null || encoding === "buffer" ? asBuffer(bytes) : decodeText(bytes, encoding));

function dataOf(data, encoding) {
  if (typeof data === "string") return encodeText(data, encoding ?? "utf8");
  const bytes = ArrayBuffer.isView(data) ? bytesOf(data) : undefined;
  if (bytes === undefined) throw invalidArgType("data", "of type string or an instance of Buffer, TypedArray, or DataView", data);
  return bytes;
}

// perform runs an operation and words its failure as node does.
function perform(operation, message, syscall, path, dest = undefined) {
  try {
    return call(operation, message);
  } catch (error) {
    throw systemError(error.code, syscall, path, dest) ?? error;
  }
}

function typeAt(full) {
  try {
    return call(FS_STAT, new Writer().str(full).done())[0];
  } catch {
    return 0;
  }
}

const isInput = (path) => path === 0 || path === "/dev/stdin" || path === "/dev/fd/0" || path === "/proc/self/fd/0";
const isOutput = (path) => path === STDOUT || path === "/dev/stdout" ? STDOUT : path === STDERR || path === "/dev/stderr" ? STDERR : 0;
const badDescriptor = (fd, syscall) => {
  if (!Number.isInteger(fd) || fd < 0) throw outOfRange("fd", ">= 0 && <= 2147483647", fd);
  return systemError("EBADF", syscall);
};

// ---- reading and writing

function readFileSync(path, options = undefined) {
  const { encoding, flag } = optionsOf(options, none);
  if (isInput(path)) return decoded(bytesCopy(readInput()), encoding);
  if (typeof path === "number") throw badDescriptor(path, "read");
  path = pathOf(path);
  if (isInput(path)) return decoded(bytesCopy(readInput()), encoding);
  const full = absolute(path, "open");
  if (flag !== undefined && flag !== "r" && flag !== "rs" && flag !== "r+") openFor(flag, full, path);
  try {
    return decoded(call(FS_READ, new Writer().str(full).done()), encoding);
  } catch (error) {
    // node opens directories and fails to read them, without a path.
    throw (error.code === "EISDIR" ? systemError("EISDIR", "read") : systemError(error.code, "open", path)) ?? error;
  }
}
const none = { __proto__: null };

const TRUNCATE = 0;
const APPEND = 1;
const CREATE = 2;

function modeOf(flag) {
  switch (flag) {
    case "w": case "w+": case "rs+": return TRUNCATE;
    case "a": case "a+": case "as": case "as+": return APPEND;
    case "wx": case "xw": case "wx+": case "xw+": return CREATE;
    case "ax": case "xa": case "ax+": case "xa+": return CREATE;
  }
  throw invalidArgValue("flags", flag);
}

// openFor does what opening with a flag does to the file, for reads.
function openFor(flag, full, path) {
  const mode = modeOf(flag);
  perform(FS_WRITE, new Writer().str(full).u8(mode).bytes(new Uint8Array(0)).done(), "open", path);
}

function write(path, data, flag, encoding) {
  const bytes = dataOf(data, encoding);
  const stream = isOutput(path);
  if (stream !== 0) {
    writeBytes(stream, bytes);
    return;
  }
  if (typeof path === "number") throw badDescriptor(path, "write");
  path = pathOf(path);
  const to = isOutput(path);
  if (to !== 0) {
    writeBytes(to, bytes);
    return;
  }
  const full = absolute(path, "open");
  if (StringPrototypeEndsWith(path, "/")) throw systemError(typeAt(full) === DIRECTORY ? "EISDIR" : "ENOENT", "open", path);
  if (flag === "r+") {
    // Overwrites from the start, and keeps what is behind.
    const old = perform(FS_READ, new Writer().str(full).done(), "open", path);
    const n = TypedArrayPrototypeGetByteLength(bytes);
    const tail = bytesSubarray(old, Math.min(n, old.length), old.length);
    perform(FS_WRITE, new Writer(n + 256).str(full).u8(TRUNCATE).bytes(bytes).done(), "open", path);
    perform(FS_WRITE, new Writer(tail.length + 256).str(full).u8(APPEND).bytes(tail).done(), "open", path);
    return;
  }
  const message = new Writer(TypedArrayPrototypeGetByteLength(bytes) + 256).str(full).u8(modeOf(flag)).bytes(bytes).done();
  try {
    call(FS_WRITE, message);
  } catch (error) {
    // A full disk shows when writing, all else when opening.
    const full = error.code === "ENOSPC" || error.code === "EFBIG" || error.code === "EDQUOT";
    throw (full ? systemError(error.code, "write") : systemError(error.code, "open", path)) ?? error;
  }
}

function writeFileSync(path, data, options = undefined) {
  const { flag = "w", encoding } = optionsOf(options, none);
  write(path, data, flag ?? "w", encoding);
}

function appendFileSync(path, data, options = undefined) {
  const { flag = "a", encoding } = optionsOf(options, none);
  write(path, data, flag ?? "a", encoding);
}

// ---- directories

export class Dirent {
  #type;
  constructor(name, parentPath, type) {
    this.name = name;
    this.parentPath = parentPath;
    this.path = parentPath;
    this.#type = type;
  }
  isFile() { return this.#type === FILE; }
  isDirectory() { return this.#type === DIRECTORY; }
  isSymbolicLink() { this.#type; return false; }
  isBlockDevice() { this.#type; return false; }
  isCharacterDevice() { this.#type; return false; }
  isFIFO() { this.#type; return false; }
  isSocket() { this.#type; return false; }
}

function list(full, path) {
  const r = new Reader(perform(FS_READDIR, new Writer().str(full).done(), "scandir", path));
  const n = r.u32();
  const entries = [];
  for (let i = 0; i < n; i++) entries[i] = { __proto__: null, name: r.str(), type: r.u8() };
  return entries;
}

function readdirSync(path, options = undefined) {
  const { encoding, withFileTypes, recursive } = optionsOf(options, none);
  path = pathOf(path);
  const full = absolute(path, "scandir");
  const result = [];
  // As node: level by level, names relative to where it began.
  const queue = [{ __proto__: null, full, shown: path, prefix: "" }];
  for (let i = 0; i < queue.length; i++) {
    const directory = queue[i];
    const entries = list(directory.full, path);
    for (let k = 0; k < entries.length; k++) {
      const { name, type } = entries[k];
      if (withFileTypes) ArrayPrototypePush(result, new Dirent(named(name, encoding), directory.shown, type));
      else ArrayPrototypePush(result, named(directory.prefix + name, encoding));
      if (recursive && type === DIRECTORY) {
        ArrayPrototypePush(queue, {
          __proto__: null, full: `${directory.full === "/" ? "" : directory.full}/${name}`, shown: posix.join(directory.shown, name),
          prefix: `${directory.prefix}${name}/`,
        });
      }
    }
  }
  return result;
}
const named = (name, encoding) => (encoding === "buffer" ? asBuffer(encodeText(name)) : encoding === undefined || encoding === null ? name : decodeText(encodeText(name), encoding));

function mkdirSync(path, options = undefined) {
  let recursive = false;
  if (options !== null && typeof options === "object") {
    recursive = options.recursive ?? false;
    if (typeof recursive !== "boolean") throw invalidArgType("options.recursive", "of type boolean", recursive);
  }
  path = pathOf(path);
  const full = absolute(path, "mkdir");
  const made = new Reader(perform(FS_MKDIR, new Writer().str(full).u8(recursive ? 1 : 0).done(), "mkdir", path)).str();
  return recursive && made !== "" ? made : undefined;
}

function mkdtempSync(prefix, options = undefined) {
  const { encoding } = optionsOf(options, none);
  prefix = pathOf(prefix, "prefix");
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  for (let tries = 0; ; tries++) {
    let path = prefix;
    const bytes = randomBytes(6);
    for (let i = 0; i < 6; i++) path += letters[bytes[i] % letters.length];
    try {
      perform(FS_MKDIR, new Writer().str(absolute(path, "mkdtemp")).u8(0).done(), "mkdtemp", `${prefix}XXXXXX`);
      return named(path, encoding);
    } catch (error) {
      if (error.code !== "EEXIST" || tries > 100) throw error;
    }
  }
}
const randomBytes = (n) => crypto.getRandomValues(new Uint8Array(n));

// ---- what is there

export class Stats {
  constructor(type, size, mtimeMs, ctimeMs, birthtimeMs, ino, mode) {
    this.dev = 1;
    this.mode = mode & 0o170000 ? mode : mode | (type === DIRECTORY ? constants.S_IFDIR : constants.S_IFREG);
    this.nlink = 1;
    this.uid = 0;
    this.gid = 0;
    this.rdev = 0;
    this.blksize = 4096;
    this.ino = ino;
    this.size = size;
    this.blocks = Math.ceil(size / 512);
    this.atimeMs = mtimeMs;
    this.mtimeMs = mtimeMs;
    this.ctimeMs = ctimeMs;
    this.birthtimeMs = birthtimeMs;
    this.atime = new Date(mtimeMs);
    this.mtime = new Date(mtimeMs);
    this.ctime = new Date(ctimeMs);
    this.birthtime = new Date(birthtimeMs);
  }
  isFile() { return (this.mode & constants.S_IFMT) === constants.S_IFREG; }
  isDirectory() { return (this.mode & constants.S_IFMT) === constants.S_IFDIR; }
  isSymbolicLink() { return false; }
  isBlockDevice() { return false; }
  isCharacterDevice() { return false; }
  isFIFO() { return false; }
  isSocket() { return false; }
}

function stat(syscall, path, options) {
  path = pathOf(path);
  let r;
  try {
    r = new Reader(perform(FS_STAT, new Writer().str(absolute(path, syscall)).done(), syscall, path));
  } catch (error) {
    if (options !== null && typeof options === "object" && options.throwIfNoEntry === false && (error.code === "ENOENT" || error.code === "ENOTDIR")) return undefined;
    throw error;
  }
  if (options !== null && typeof options === "object" && options.bigint) throw coded(new Error("fs.stat with bigint is not supported"), "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM");
  return new Stats(r.u8(), r.f64(), r.f64(), r.f64(), r.f64(), r.f64(), r.u32());
}
const statSync = (path, options = undefined) => stat("stat", path, options);
const lstatSync = (path, options = undefined) => stat("lstat", path, options);

function existsSync(path) {
  try {
    path = pathOf(path);
    return path !== "" && typeAt(absolute(path, "access")) !== 0;
  } catch {
    return false;
  }
}

function accessSync(path, mode = constants.F_OK) {
  path = pathOf(path);
  const r = new Reader(perform(FS_STAT, new Writer().str(absolute(path, "access")).done(), "access", path));
  const type = r.u8();
  if ((mode & constants.X_OK) !== 0 && type === FILE) throw systemError("EACCES", "access", path);
}

function realpathSync(path, options = undefined) {
  const { encoding } = optionsOf(options, none);
  path = pathOf(path);
  const full = absolute(path, "realpath");
  perform(FS_STAT, new Writer().str(full).done(), "realpath", path);
  return named(full, encoding);
}
realpathSync.native = realpathSync;

// ---- changing

const RECURSIVE = 1;
const FORCE = 2;
const ONLY_DIRECTORY = 4;
const ONLY_FILE = 8;

const removal = (full, flags) => new Writer().str(full).u8(flags).done();

function rmSync(path, options = undefined) {
  const { recursive = false, force = false } = options ?? none;
  path = pathOf(path);
  const full = resolve(path);
  const type = path === "" ? 0 : typeAt(full);
  if (type === 0) {
    if (force) return;
    throw systemError("ENOENT", "lstat", path);
  }
  if (type === DIRECTORY && !recursive) {
    const error = new Error(`Path is a directory: rm returned EISDIR (is a directory) ${path}`);
    error.name = "SystemError";
    Object.assign(error, { code: "ERR_FS_EISDIR", info: { code: "EISDIR", message: "is a directory", path, syscall: "rm", errno: 21 }, errno: 21, syscall: "rm", path });
    throw error;
  }
  perform(FS_RM, removal(full, (recursive ? RECURSIVE : 0) | (force ? FORCE : 0)), "rm", path);
}

function rmdirSync(path, options = undefined) {
  path = pathOf(path);
  if (options !== null && typeof options === "object" && options.recursive) {
    rmSync(path, { __proto__: null, recursive: true });
    return;
  }
  const full = absolute(path, "rmdir");
  perform(FS_RM, removal(full, ONLY_DIRECTORY), "rmdir", path);
}

function unlinkSync(path) {
  path = pathOf(path);
  perform(FS_RM, removal(absolute(path, "unlink"), ONLY_FILE), "unlink", path);
}

function renameSync(from, to) {
  from = pathOf(from, "oldPath");
  to = pathOf(to, "newPath");
  if (from === "" || to === "") throw systemError("ENOENT", "rename", from, to);
  perform(FS_RENAME, new Writer().str(resolve(from)).str(resolve(to)).done(), "rename", from, to);
}

function copyFileSync(from, to, mode = 0) {
  from = pathOf(from, "src");
  to = pathOf(to, "dest");
  if (from === "" || to === "") throw systemError("ENOENT", "copyfile", from, to);
  perform(FS_COPY, new Writer().str(resolve(from)).str(resolve(to)).u8(mode & constants.COPYFILE_EXCL).done(), "copyfile", from, to);
}

function truncateSync(path, length = 0) {
  path = pathOf(path);
  if (typeof length !== "number") throw invalidArgType("len", "of type number", length);
  if (!Number.isInteger(length)) throw outOfRange("len", "an integer", length);
  perform(FS_TRUNCATE, new Writer().str(absolute(path, "open")).f64(length < 0 ? 0 : length).done(), "open", path);
}

function cpSync(from, to, options = undefined) {
  const { recursive = false, force = true, errorOnExist = false, filter } = options ?? none;
  from = pathOf(from, "src");
  to = pathOf(to, "dest");
  copyTree(from, to);

  function copyTree(from, to) {
    if (typeof filter === "function" && !filter(from, to)) return;
    if (!statSync(from).isDirectory()) {
      if (existsSync(to)) {
        if (errorOnExist && !force) throw coded(new Error(`Target already exists: cp returned EEXIST (${to} already exists) ${to}`), "ERR_FS_CP_EEXIST");
        if (!force) return;
      }
      const directory = posix.dirname(to);
      if (!existsSync(directory)) mkdirSync(directory, { recursive: true });
      copyFileSync(from, to);
      return;
    }
    if (!recursive) throw coded(new Error(`Recursive option not enabled, cannot copy a directory: cp returned EISDIR (${from} is a directory (not copied)) ${from}`), "ERR_FS_EISDIR");
    const source = resolve(from);
    const target = resolve(to);
    if (target === source || target.startsWith(`${source}/`)) {
      throw coded(new Error(`Cannot copy ${from} to a subdirectory of self ${to}`), "ERR_FS_CP_EINVAL");
    }
    mkdirSync(to, { recursive: true });
    for (const name of readdirSync(from)) copyTree(posix.join(from, name), posix.join(to, name));
  }
}

// ---- the other two forms

const synchronous = {
  __proto__: null,
  readFile: readFileSync, writeFile: writeFileSync, appendFile: appendFileSync, readdir: readdirSync, stat: statSync, lstat: lstatSync, mkdir: mkdirSync,
  mkdtemp: mkdtempSync, rm: rmSync, rmdir: rmdirSync, unlink: unlinkSync, rename: renameSync, access: accessSync, copyFile: copyFileSync,
  truncate: truncateSync, realpath: realpathSync, cp: cpSync,
};

export const promises = { constants };
export const fs = { constants, promises, Stats, Dirent, existsSync };

for (const name in synchronous) {
  const perform = synchronous[name];
  const sync = Object.defineProperty(perform, "name", { value: `${name}Sync` });
  fs[`${name}Sync`] = sync;

  fs[name] = {
    [name](...args) {
      const callback = args[args.length - 1];
      if (typeof callback !== "function") throw invalidArgType("cb", "of type function", callback);
      args.length--;
      // node reports wrong arguments at once, and failures to the callback.
      let error = null;
      let value;
      try {
        value = ReflectApply(perform, undefined, args);
      } catch (thrown) {
        if (thrown instanceof TypeError || thrown instanceof RangeError) throw thrown;
        error = thrown;
      }
      queueMicrotask(() => {
        if (error !== null) callback(error);
        else if (value === undefined) callback(null);
        else callback(null, value);
      });
    },
  }[name];

  promises[name] = {
    [name](...args) {
      return newPromise((resolve, reject) => {
        try {
          resolve(ReflectApply(perform, undefined, args));
        } catch (error) {
          reject(error);
        }
      });
    },
  }[name];
}

fs.exists = function exists(path, callback) {
  const there = existsSync(path);
  queueMicrotask(() => callback(there));
};
fs.realpath.native = fs.realpath;

// Data given as a stream is gathered first.
const writeFile = promises.writeFile;
const appendFile = promises.appendFile;
for (const [name, write] of [["writeFile", writeFile], ["appendFile", appendFile]]) {
  promises[name] = {
    [name](path, data, options = undefined) {
      if (data !== null && typeof data === "object" && !ArrayBuffer.isView(data) && (Symbol.asyncIterator in data || Symbol.iterator in data)) {
        return promiseThen(gather(data), (bytes) => write(path, bytes, options));
      }
      return write(path, data, options);
    },
  }[name];
}

async function gather(source) {
  const chunks = [];
  let length = 0;
  for await (const chunk of source) {
    const bytes = typeof chunk === "string" ? encodeText(chunk) : dataOf(chunk);
    chunks.push(bytes);
    length += bytes.length;
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const bytes of chunks) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return all;
}
