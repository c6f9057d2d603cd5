// node:console
import { format, inspect } from "mayfly:inspect";

const { console } = globalThis;

// A Console writes to streams of the program's own.
export class Console {
  #out;
  #err;
  #indent = "";
  #step;
  #counts = new Map();
  #inspectOptions;
  constructor(stdout, stderr = stdout) {
    const options = typeof stdout?.write === "function" ? { stdout, stderr } : stdout;
    if (typeof options?.stdout?.write !== "function") throw new TypeError("Console expects a writable stream instance for stdout");
    this.#out = options.stdout;
    this.#err = options.stderr ?? options.stdout;
    this.#step = options.groupIndentation ?? 2;
    this.#inspectOptions = options.inspectOptions;
    for (const name of ["log", "warn", "error", "info", "debug", "dir", "trace", "group", "groupEnd", "assert", "count", "countReset", "table", "time", "timeEnd", "timeLog"]) {
      this[name] = this[name].bind(this);
    }
  }
  #write(stream, args) {
    const text = format(...args);
    stream.write(`${this.#indent}${this.#indent === "" ? text : text.replaceAll("\n", `\n${this.#indent}`)}\n`);
  }
  log(...args) { this.#write(this.#out, args); }
  info(...args) { this.#write(this.#out, args); }
  debug(...args) { this.#write(this.#out, args); }
  warn(...args) { this.#write(this.#err, args); }
  error(...args) { this.#write(this.#err, args); }
  dir(value, options = undefined) { this.#write(this.#out, [inspect(value, { customInspect: false, ...this.#inspectOptions, ...options })]); }
  dirxml(...args) { this.log(...args); }
  table(value) { this.log(value); }
  trace(...args) { this.#write(this.#err, [`Trace: ${format(...args)}\n${new Error().stack}`]); }
  assert(value, ...args) { if (!value) this.#write(this.#err, args.length === 0 ? ["Assertion failed"] : [`Assertion failed: ${format(...args)}`]); }
  group(...args) {
    if (args.length > 0) this.log(...args);
    this.#indent += " ".repeat(this.#step);
  }
  groupCollapsed(...args) { this.group(...args); }
  groupEnd() { this.#indent = this.#indent.slice(this.#step); }
  count(label = "default") {
    const n = (this.#counts.get(label) ?? 0) + 1;
    this.#counts.set(label, n);
    this.log(`${label}: ${n}`);
  }
  countReset(label = "default") { this.#counts.delete(label); }
  #times = new Map();
  time(label = "default") { this.#times.set(label, performance.now()); }
  timeLog(label = "default", ...args) { this.log(`${label}: ${(performance.now() - (this.#times.get(label) ?? NaN)).toFixed(3)}ms`, ...args); }
  timeEnd(label = "default") {
    this.timeLog(label);
    this.#times.delete(label);
  }
  clear() {}
}
Object.defineProperty(console, "Console", { value: Console, writable: true, configurable: true, enumerable: false });

export default console;
export const {
  assert, clear, count, countReset, debug, dir, dirxml, error, group, groupCollapsed, groupEnd, info, log, table, time, timeEnd, timeLog, timeStamp, trace, warn,
} = console;
