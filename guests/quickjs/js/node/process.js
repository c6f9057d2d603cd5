// node:process
import { process } from "mayfly:process";

export default process;
export const {
  abort, arch, argv, argv0, chdir, cpuUsage, cwd, emitWarning, env, execArgv, execPath, exit, hrtime, memoryUsage, nextTick, pid, platform, ppid, release, stderr, stdin, stdout, title, umask,
  uptime, version, versions,
} = process;
const bound = (name) => (...args) => process[name](...args);
export const on = bound("on"), once = bound("once"), off = bound("off"), emit = bound("emit");
