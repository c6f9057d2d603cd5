// node:fs
import { Dirent, Stats, constants, fs, promises } from "mayfly:fs";

export default fs;
export { Dirent, Stats, constants, promises };
export const {
  access, accessSync, appendFile, appendFileSync, copyFile, copyFileSync, cp, cpSync, exists, existsSync, lstat, lstatSync, mkdir, mkdirSync, mkdtemp, mkdtempSync,
  readFile, readFileSync, readdir, readdirSync, realpath, realpathSync, rename, renameSync, rm, rmSync, rmdir, rmdirSync, stat, statSync, truncate, truncateSync,
  unlink, unlinkSync, writeFile, writeFileSync,
} = fs;
