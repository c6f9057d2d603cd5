// node:path
import { posix, win32 } from "mayfly:path";

export default posix;
export { posix, win32 };
export const {
  basename, delimiter, dirname, extname, format, isAbsolute, join, normalize, parse, relative, resolve, sep, toNamespacedPath,
} = posix;
