// node:module
import { fileURLToPath } from "mayfly:file-url";
import { Module, createRequire as createRequireFrom } from "mayfly:require";
import { builtinModules, isBuiltin } from "mayfly:builtins";
import { unavailable } from "mayfly:unavailable";

export const createRequire = (filename) => createRequireFrom(filename, fileURLToPath);
const refused = unavailable("module", "the host loads modules", ["register", "registerHooks", "runMain", "stripTypeScriptTypes"]);
export const { register, registerHooks, runMain, stripTypeScriptTypes } = refused;
export const syncBuiltinESMExports = () => {};
export const findSourceMap = () => undefined;
export const findPackageJSON = () => undefined;
export const enableCompileCache = () => ({ status: 3 });
export const getCompileCacheDir = () => undefined;
export const flushCompileCache = () => {};
export const globalPaths = [];
export class SourceMap {}
Object.assign(Module, refused, {
  Module, SourceMap, builtinModules, createRequire, enableCompileCache, findPackageJSON, findSourceMap, flushCompileCache, getCompileCacheDir, globalPaths, isBuiltin, syncBuiltinESMExports,
});
Module._extensions = { __proto__: null };
export { Module, builtinModules, isBuiltin };
export default Module;
