// The names of the modules of node that there are.
import native from "mayfly:native";
import { StringPrototypeStartsWith } from "mayfly:primordials";

export const builtinModules = Object.freeze([
  "assert", "assert/strict", "async_hooks", "buffer", "child_process", "cluster", "console", "constants", "crypto", "dgram", "diagnostics_channel", "dns", "dns/promises", "events",
  "fs", "fs/promises", "http", "http2", "https", "inspector", "module", "net", "os", "path", "path/posix", "path/win32", "perf_hooks", "process", "punycode", "querystring",
  "readline", "readline/promises", "stream", "stream/consumers", "stream/promises", "stream/web", "string_decoder", "sys", "timers", "timers/promises", "tls", "tty", "url", "util",
  "util/types", "v8", "vm", "worker_threads", "zlib",
]);
export const isBuiltin = (name) => typeof name === "string" && native.builtin(StringPrototypeStartsWith(name, "node:") ? name : `node:${name}`) !== undefined;
