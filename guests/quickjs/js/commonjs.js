// The evaluator of CommonJS packages, at boot only: they are given as text and
// become part of the image.

import native from "mayfly:native";

const { Function, URL } = globalThis;
const PACKAGES = "mayfly:npm/";

// evaluateCommonJS runs a module's source and answers its exports. modules maps
// the specifiers that it requires to their exports.
export function evaluateCommonJS(name, source, modules = {}) {
  const module = { exports: {} };
  const require = (specifier) => {
    if (!Object.hasOwn(modules, specifier)) throw new Error(`${name} requires ${specifier}, which it was not given`);
    return modules[specifier];
  };
  Function("module", "exports", "require", source)(module, module.exports, require);
  return module.exports;
}

// evaluatePackage does the same for a file of a package and the files beside it
// that it requires. modules has what it requires by bare names.
export function evaluatePackage(entry, modules = {}) {
  const loaded = new Map();
  const later = [];
  const load = (name) => {
    if (loaded.has(name)) return loaded.get(name).exports;
    const source = native.bootSource(name);
    if (source === undefined) throw new Error(`${entry} requires ${name}, which is not there`);
    const module = { exports: {} };
    loaded.set(name, module);
    const require = (specifier) => {
      if (!specifier.startsWith(".")) {
        if (!Object.hasOwn(modules, specifier)) throw new Error(`${name} requires ${specifier}, which it was not given`);
        return modules[specifier];
      }
      const target = PACKAGES + new URL(specifier, `file:///${name.slice(PACKAGES.length)}`).pathname.slice(1);
      const candidates = [target, `${target}.js`, `${target}/index.js`];
      return load(candidates.find((name) => loaded.has(name)) ?? candidates.find((name) => native.bootSource(name) !== undefined) ?? target);
    };
    Function("module", "exports", "require", source)(module, module.exports, require);
    // What is required later has to be there by then.
    for (const [, specifier] of source.matchAll(/\brequire\(['"](\.[^'"]+)['"]\)/g)) later.push(() => require(specifier));
    return module.exports;
  };
  const exports = load(entry);
  while (later.length > 0) later.pop()();
  return exports;
}

// replaceOnce exchanges one piece of a pinned package's source, and fails at
// boot where the piece is not there exactly once.
export function replaceOnce(name, source, from, to) {
  const parts = source.split(from);
  if (parts.length !== 2) throw new Error(`${name}: ${parts.length - 1} matches of ${from}`);
  return parts[0] + to + parts[1];
}
