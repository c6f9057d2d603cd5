// node:vm, where the server allows code made from strings. A context is an
// object that stands before the global one: what code defines by var or function
// in it stays there, but the builtins are those of the isolate.
import native from "mayfly:native";
import { invalidArgType } from "mayfly:node-errors";
import { unavailable } from "mayfly:unavailable";

const { EvalError, Function, Proxy, Reflect, Symbol, WeakSet } = globalThis;
const contexts = new WeakSet();
const indirectEval = globalThis.eval;

function requireEval() {
  if (!native.evalAllowed()) throw new EvalError("Code generation from strings disallowed for this context");
}

export function createContext(object = {}, options = undefined) {
  contexts.add(object);
  return object;
}
export const isContext = (object) => {
  if (object === null || typeof object !== "object") throw invalidArgType("object", "of type object", object);
  return contexts.has(object);
};

const OWN = /(?:^|[;{}\n])\s*(?:var|function\*?|async\s+function\*?)\s+([A-Za-z_$][\w$]*)/g;

function evaluateIn(code, context) {
  requireEval();
  const scope = new Proxy(context, {
    has: (target, key) => key !== "__code" && key !== "__keep",
    get(target, key) {
      if (key === Symbol.unscopables) return undefined;
      if (key in target) return target[key];
      if (key === "globalThis") return scope;
      if (key in globalThis) return globalThis[key];
      throw new ReferenceError(`${String(key)} is not defined`);
    },
  });
  // Declarations by var and function would be the wrapper's: they are copied to
  // the context behind the code.
  const names = new Set();
  for (const [, name] of code.matchAll(OWN)) names.add(name);
  const keep = [...names].map((name) => `try { __keep(${JSON.stringify(name)}, ${name}); } catch {}`).join("");
  return Function("__scope", "__code", "__keep", "with (__scope) { return eval(__code); }")(scope, keep === "" ? code : `${code}\n;void (() => { ${keep} })();`, (name, value) => { context[name] = value; });
}

export class Script {
  #code;
  constructor(code, options = undefined) {
    this.#code = `${code}`;
    if (native.evalAllowed()) Function(this.#code.includes("await") ? "" : this.#code); // mistakes are reported now
  }
  runInThisContext() {
    requireEval();
    return indirectEval(this.#code);
  }
  runInContext(context) { return runInContext(this.#code, context); }
  runInNewContext(object) { return runInContext(this.#code, createContext(object)); }
  createCachedData() { return new Uint8Array(0); }
}
export function runInContext(code, context) {
  if (!contexts.has(context)) throw invalidArgType("contextifiedObject", "a vm.Context", context);
  return evaluateIn(`${code}`, context);
}
export const runInNewContext = (code, object = {}) => runInContext(code, createContext(object));
export const runInThisContext = (code) => new Script(code).runInThisContext();
export function compileFunction(code, params = []) {
  requireEval();
  return Function(...params, code);
}
const refused = unavailable("vm", "the host loads modules", ["Module", "SourceTextModule", "SyntheticModule", "measureMemory"]);
export const { Module, SourceTextModule, SyntheticModule, measureMemory } = refused;
export const constants = Object.freeze({ __proto__: null, USE_MAIN_CONTEXT_DEFAULT_LOADER: Symbol("vm_dynamic_import_main_context_default"), DONT_CONTEXTIFY: Symbol("vm_context_no_contextify") });
export const createScript = (code) => new Script(code);
export default { ...refused, Script, compileFunction, constants, createContext, createScript, isContext, runInContext, runInNewContext, runInThisContext };
