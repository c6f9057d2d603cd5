// CommonJS: files that require and set module.exports, and node's require for
// those and for scripts. The host resolves and loads (host/execution); files
// that are ES modules can be required if they don't await at their top level.
//
// Missing on purpose: require.extensions, and loading by URL.
import { Error, Object, SyntaxError, TypeError } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Reader, Writer, call, utf8Decode } from "mayfly:host";
import { LOAD, REQUIRE_RESOLVE } from "mayfly:op.gen";
import { coded, invalidArgType, invalidArgValue } from "mayfly:node-errors";
import { posix } from "mayfly:path";
import { cwd } from "mayfly:run";
import { expose } from "mayfly:interface";
import { moduleFrom } from "mayfly:webassembly";
import { ArrayPrototypePush, JSONParse, ReflectApply, StringFromCharCode, StringPrototypeIncludes, StringPrototypeSlice, StringPrototypeStartsWith, TypedArrayPrototypeGetBuffer, bytesCopy } from "mayfly:primordials";

// cache has modules by their absolute path, as require.cache shows it.
const cache = { __proto__: null };

export class Module {
  constructor(id = "", parent = undefined) {
    this.id = id;
    this.path = posix.dirname(id);
    this.exports = {};
    this.filename = null;
    this.loaded = false;
    this.children = [];
    this.paths = [];
    if (parent !== undefined) ArrayPrototypePush(parent.children, this);
  }
  require(specifier) { return makeRequire(this.filename)(specifier); }
}

const absolute = (name) => (name[0] === "/" ? name : posix.resolve(cwd(), name)); // names are relative to where the program started

// builtinExports answers what require("node:x") does; undefined for other names.
export function builtinExports(specifier) {
  const namespace = native.builtin(StringPrototypeStartsWith(specifier, "node:") ? specifier : `node:${specifier}`);
  return namespace === undefined ? undefined : namespace.default ?? namespace;
}

const WRAPPER = "(function (exports, require, module, __filename, __dirname) {";

// runCommonJS evaluates a file, once, and answers its exports. Where it may be
// an ES module and doesn't compile as CommonJS it answers the sentinel that the
// guest knows.
export function runCommonJS(name, source, maybe) {
  const filename = absolute(name);
  const known = cache[filename];
  if (known !== undefined) return known.exports;
  if (StringPrototypeStartsWith(source, "#!")) source = `//${source}`;
  let f;
  try {
    f = native.evaluate(`${WRAPPER}${source}\n})`, name);
  } catch (error) {
    if (maybe && error instanceof SyntaxError) return native;
    throw error;
  }
  const module = new Module(filename);
  module.filename = filename;
  cache[filename] = module;
  let done = false;
  try {
    ReflectApply(f, module.exports, [module.exports, makeRequire(filename, module), module, filename, module.path]);
    done = true;
  } finally {
    if (!done) delete cache[filename];
  }
  module.loaded = true;
  return module.exports;
}

function requireFile(name, parent) {
  const filename = absolute(name);
  const known = cache[filename];
  if (known !== undefined) return known.exports;
  const r = new Reader(call(LOAD, new Writer(128).str(name).str("").done()));
  const kind = StringFromCharCode(r.u8());
  const bytes = r.bytes();
  if (kind === "c" || kind === "a") {
    const exports = runCommonJS(name, utf8Decode(bytes), kind === "a");
    if (exports !== native) {
      if (parent !== undefined && cache[filename] !== undefined) ArrayPrototypePush(parent.children, cache[filename]);
      return exports;
    }
  }
  let exports;
  if (kind === "m" || kind === "a") {
    const namespace = native.importNow(name);
    exports = "module.exports" in namespace ? namespace["module.exports"] : namespace;
  } else if (kind === "j") {
    try {
      exports = JSONParse(utf8Decode(bytes));
    } catch (error) {
      error.message = `${filename}: ${error.message}`;
      throw error;
    }
  } else if (kind === "w") {
    exports = moduleFrom(bytesCopy(bytes));
  } else if (kind === "t") {
    exports = utf8Decode(bytes);
  } else {
    const copy = bytesCopy(bytes);
    exports = kind === "b" ? TypedArrayPrototypeGetBuffer(copy) : copy;
  }
  const module = new Module(filename, parent);
  module.filename = filename;
  module.exports = exports;
  module.loaded = true;
  cache[filename] = module;
  return exports;
}

function resolve(referrer, specifier) {
  if (typeof specifier !== "string") throw invalidArgType("id", "of type string", specifier);
  if (specifier === "") throw invalidArgValue("id", specifier, "must be a non-empty string");
  try {
    return new Reader(call(REQUIRE_RESOLVE, new Writer(128).str(referrer).str(specifier).done())).str();
  } catch (error) {
    // As require says it.
    if (error.code === "ERR_MODULE_NOT_FOUND") throw coded(new Error(`Cannot find module '${specifier}'\nRequire stack:\n- ${referrer}`), "MODULE_NOT_FOUND");
    throw error;
  }
}

// makeRequire makes the require of a file.
export function makeRequire(filename, parent = undefined) {
  const require = (specifier) => {
    if (typeof specifier === "string" && !StringPrototypeIncludes(specifier, "./")) {
      const exports = builtinExports(specifier);
      if (exports !== undefined) return exports;
      if (StringPrototypeStartsWith(specifier, "node:")) throw coded(new Error(`No such built-in module: ${specifier}`), "ERR_UNKNOWN_BUILTIN_MODULE");
    }
    const name = resolve(filename, specifier);
    if (StringPrototypeStartsWith(name, "node:")) return builtinExports(name);
    return requireFile(name, parent);
  };
  require.resolve = (specifier) => {
    const name = resolve(filename, specifier);
    if (!StringPrototypeStartsWith(name, "node:")) return absolute(name);
    return StringPrototypeStartsWith(specifier, "node:") ? name : StringPrototypeSlice(name, 5);
  };
  require.resolve.paths = () => null;
  require.cache = cache;
  require.main = undefined;
  return Object.defineProperty(require, "name", { value: "require" });
}

// createRequire is node:module's: of a path or a file: URL.
export function createRequire(from, pathOf) {
  const filename = typeof from === "string" && !StringPrototypeStartsWith(from, "file:") ? from : pathOf(from);
  if (filename[0] !== "/") throw coded(new TypeError(`The argument 'filename' must be a file URL object, file URL string, or absolute path string. Received '${filename}'`), "ERR_INVALID_ARG_VALUE");
  return makeRequire(filename);
}

// Scripts have require, as in node; what they require is resolved from the
// working directory.
expose({ require: makeRequire("main.js") });
