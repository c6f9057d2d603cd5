// node:path/win32
import { posix, win32 } from "mayfly:path";

export default win32;
export { posix, win32 };
export const {
  basename, delimiter, dirname, extname, format, isAbsolute, join, normalize, parse, relative, resolve, sep, toNamespacedPath,
} = win32;
