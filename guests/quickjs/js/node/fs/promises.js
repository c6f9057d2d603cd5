// node:fs/promises
import { constants, promises } from "mayfly:fs";

export default promises;
export { constants };
export const {
  access, appendFile, copyFile, cp, lstat, mkdir, mkdtemp, readFile, readdir, realpath, rename, rm, rmdir, stat, truncate, unlink, writeFile,
} = promises;
