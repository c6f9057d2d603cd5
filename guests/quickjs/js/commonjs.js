// The evaluator of CommonJS packages, at boot only: they are given as text and
// become part of the image.

const { Function } = globalThis;

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

// replaceOnce exchanges one piece of a pinned package's source, and fails at
// boot where the piece is not there exactly once.
export function replaceOnce(name, source, from, to) {
  const parts = source.split(from);
  if (parts.length !== 2) throw new Error(`${name}: ${parts.length - 1} matches of ${from}`);
  return parts[0] + to + parts[1];
}
