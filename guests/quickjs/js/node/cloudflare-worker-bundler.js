// What @cloudflare/worker-bundler is imported as by bundles that leave it out, and
// cloudflare:worker-bundler: createWorker has the host make the bundle, with its
// own esbuild. The other exports of the package are not here.
import { Error, TypeError } from "mayfly:intrinsics";
import { Reader, Writer, start, utf8Decode } from "mayfly:host";
import { BUNDLE } from "mayfly:op.gen";
import { ArrayIsArray, FunctionPrototypeCall, JSONParse, JSONStringify, ObjectKeys, StringPrototypeToWellFormed, newPromise } from "mayfly:primordials";

// Options that are passed on; files come first.
const OPTIONS = ["entryPoint", "bundle", "externals", "target", "minify", "sourcemap", "registry", "jsx", "jsxImportSource", "define", "loader", "conditions", "virtualModules"];

const content = (path, value) => {
  if (typeof value !== "string") throw new TypeError(`createWorker: the file ${path} is not a string`);
  return StringPrototypeToWellFormed(value);
};

// filesOf reads files: an object of strings by path, or a FileSystem.
function filesOf(files) {
  if (files === null || typeof files !== "object") throw new TypeError("createWorker: files must be an object of strings by path, or a FileSystem");
  const all = { __proto__: null };
  const { list, read } = files;
  if (typeof list === "function" && typeof read === "function") {
    const paths = FunctionPrototypeCall(list, files);
    if (!ArrayIsArray(paths)) throw new TypeError("createWorker: list() of a FileSystem must answer an array");
    for (let i = 0, n = paths.length; i < n; i++) {
      const path = `${paths[i]}`;
      const text = FunctionPrototypeCall(read, files, path);
      if (text !== null) all[path] = content(path, text);
    }
    return all;
  }
  const paths = ObjectKeys(files);
  for (let i = 0; i < paths.length; i++) all[paths[i]] = content(paths[i], files[paths[i]]);
  return all;
}

export async function createWorker(options) {
  if (options === null || typeof options !== "object") throw new TypeError("createWorker: options must be an object");
  const given = { __proto__: null, files: filesOf(options.files) };
  for (let i = 0; i < OPTIONS.length; i++) {
    const value = options[OPTIONS[i]];
    if (value !== undefined) given[OPTIONS[i]] = value;
  }
  if (options.__dangerouslyUseEsBuildPluginsDoNotUseOrYouWillBeFired !== undefined) throw new Error("createWorker: plugins of esbuild are not supported here");
  const message = new Writer(1024).str(JSONStringify(given)).done();
  return newPromise((resolve, reject) => {
    start(BUNDLE, message, (answer) => resolve(JSONParse(utf8Decode(new Reader(answer).bytes()))), reject);
  });
}

export default { createWorker };
