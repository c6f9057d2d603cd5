// node:os: what can be said without giving the host away.
import { process } from "mayfly:process";
import { systemErrors } from "mayfly:node-errors";

const errno = Object.freeze(Object.fromEntries(Object.entries(systemErrors).map(([code, [n]]) => [code, n])));
const signals = Object.freeze(Object.fromEntries([
  "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
  "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
].map((name, i) => [`SIG${name}`, i + 1])));
export const getPriority = () => 0;
export const setPriority = () => {};
export const EOL = "\n";
export const devNull = "/dev/null";
export const constants = Object.freeze({ __proto__: null, errno, signals, priority: Object.freeze({ PRIORITY_LOW: 19, PRIORITY_BELOW_NORMAL: 10, PRIORITY_NORMAL: 0, PRIORITY_ABOVE_NORMAL: -7, PRIORITY_HIGH: -14, PRIORITY_HIGHEST: -20 }) });
export const arch = () => process.arch;
export const availableParallelism = () => 1;
export const cpus = () => [];
export const endianness = () => "LE";
export const freemem = () => process.memoryUsage().heapTotal - process.memoryUsage().heapUsed;
export const homedir = () => process.env.HOME ?? "/";
export const hostname = () => "localhost";
export const loadavg = () => [0, 0, 0];
export const machine = () => process.arch;
export const networkInterfaces = () => ({});
export const platform = () => "linux";
export const release = () => "0.0.0";
export const tmpdir = () => process.env.TMPDIR ?? "/tmp";
export const totalmem = () => process.memoryUsage().heapTotal;
export const type = () => "Linux";
export const uptime = () => process.uptime();
export const userInfo = () => ({ uid: -1, gid: -1, username: "user", homedir: homedir(), shell: null });
export const version = () => "";
export default {
  EOL, getPriority, setPriority, arch, availableParallelism, constants, cpus, devNull, endianness, freemem, homedir, hostname, loadavg, machine, networkInterfaces, platform, release, tmpdir,
  totalmem, type, uptime, userInfo, version,
};
