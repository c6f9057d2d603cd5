// Errors with the codes, names and words that node's have.
import { Error, RangeError, TypeError } from "mayfly:intrinsics";
import { inspect } from "mayfly:inspect";
import { ObjectDefineProperty, StringPrototypeSlice } from "mayfly:primordials";

// A coded error shows its code in its stack, as "TypeError [CODE]: message".
export function coded(error, code) {
  ObjectDefineProperty(error, "code", { __proto__: null, value: code, writable: true, enumerable: true, configurable: true });
  return error;
}

export function invalidArgType(name, wanted, value) {
  const kind = name.includes(".") ? "property" : "argument";
  return coded(new TypeError(`The "${name}" ${kind} must be ${wanted}.${received(value)}`), "ERR_INVALID_ARG_TYPE");
}

export function invalidArgValue(name, value, reason = "is invalid") {
  const kind = name.includes(".") ? "property" : "argument";
  let shown = inspect(value);
  if (shown.length > 128) shown = `${StringPrototypeSlice(shown, 0, 128)}...`;
  return coded(new TypeError(`The ${kind} '${name}' ${reason}. Received ${shown}`), "ERR_INVALID_ARG_VALUE");
}

export const outOfRange = (name, range, value) =>
  coded(new RangeError(`The value of "${name}" is out of range. It must be ${range}. Received ${inspect(value)}`), "ERR_OUT_OF_RANGE");

export const unknownEncoding = (encoding) => coded(new TypeError(`Unknown encoding: ${encoding}`), "ERR_UNKNOWN_ENCODING");

function received(value) {
  if (value === null || value === undefined) return ` Received ${value}`;
  if (typeof value === "function") return ` Received function ${value.name}`;
  if (typeof value === "object") {
    const name = value.constructor?.name;
    return name ? ` Received an instance of ${name}` : ` Received ${inspect(value, { depth: -1 })}`;
  }
  let shown = inspect(value, { colors: false });
  if (shown.length > 28) shown = `${StringPrototypeSlice(shown, 0, 25)}...`;
  return ` Received type ${typeof value} (${shown})`;
}

// System errors: what libuv says of each code, and its number on Linux.
const system = {
  __proto__: null,
  EPERM: [1, "operation not permitted"],
  ENOENT: [2, "no such file or directory"],
  EIO: [5, "i/o error"],
  EBADF: [9, "bad file descriptor"],
  ENOMEM: [12, "not enough memory"],
  EACCES: [13, "permission denied"],
  EBUSY: [16, "resource busy or locked"],
  EEXIST: [17, "file already exists"],
  EXDEV: [18, "cross-device link not permitted"],
  ENOTDIR: [20, "not a directory"],
  EISDIR: [21, "illegal operation on a directory"],
  EINVAL: [22, "invalid argument"],
  EMFILE: [24, "too many open files"],
  EFBIG: [27, "file too large"],
  ENOSPC: [28, "no space left on device"],
  EROFS: [30, "read-only file system"],
  EPIPE: [32, "broken pipe"],
  ENAMETOOLONG: [36, "name too long"],
  ENOSYS: [38, "function not implemented"],
  ENOTEMPTY: [39, "directory not empty"],
  ELOOP: [40, "too many symbolic links encountered"],
  EDQUOT: [122, "disk quota exceeded"],
};

// systemError makes the error of a call on paths; undefined for codes that are
// not a system's.
export function systemError(code, syscall, path = undefined, dest = undefined) {
  const known = system[code];
  if (known === undefined) return undefined;
  let message = `${code}: ${known[1]}, ${syscall}`;
  if (path !== undefined) message += ` '${path}'`;
  if (dest !== undefined) message += ` -> '${dest}'`;
  const error = new Error(message);
  error.errno = -known[0];
  error.code = code;
  error.syscall = syscall;
  if (path !== undefined) error.path = path;
  if (dest !== undefined) error.dest = dest;
  return error;
}

export const systemErrors = system;
