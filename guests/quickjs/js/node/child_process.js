// node:child_process: nothing of it can be had.
import { unavailable } from "mayfly:unavailable";

const module = unavailable("child_process", "an isolate runs no other programs", ["ChildProcess", "exec", "execFile", "execFileSync", "execSync", "fork", "spawn", "spawnSync"]);
export default module;
export const { ChildProcess, exec, execFile, execFileSync, execSync, fork, spawn, spawnSync } = module;
