// node:process
import { process } from "mayfly:process";

export default process;
export const {
  abort, arch, argv0, chdir, cpuUsage, cwd, emitWarning, execArgv, execPath, exit, hrtime, memoryUsage, nextTick, pid, platform, ppid, release, title, umask,
  uptime, version, versions,
} = process;
const bound = (name) => (...args) => process[name](...args);
export const on = bound("on"), once = bound("once"), off = bound("off"), emit = bound("emit");
