// Errors in output. Stacks differ between engines: these have none, or a fixed one.
const setStack = (error, stack) => Object.defineProperty(error, "stack", { value: stack, writable: true, configurable: true });
const bare = (error) => setStack(error, undefined);
const fixed = (error, head = `${error.name}: ${error.message}`) => setStack(error, `${head}\n    at place (file.js:1:2)`);
console.log(bare(new Error("bare")), bare(new TypeError()), [bare(new RangeError("in array"))], { e: bare(new Error("in object")) });
console.log(fixed(new Error("fixed")));
console.log([fixed(new TypeError("listed"))]);
console.log({ error: fixed(new SyntaxError("kept")) });
console.log(fixed(Object.assign(new Error("with props"), { code: "E_CODE", info: { a: 1 } })));
console.log(fixed(new Error("outer", { cause: fixed(new Error("inner")) })));
console.log(fixed(new Error("outer", { cause: { plain: 1 } })));
console.log(fixed(new AggregateError([bare(new Error("one")), 2], "several")));
class CustomError extends Error {}
console.log(fixed(new CustomError("custom"), "Error: custom"));
class Named extends Error { name = "RenamedError"; }
console.log(fixed(new Named("renamed"), "Error: renamed"));
const odd = fixed(new Error("odd"));
odd.name = "Odd";
console.log(odd);
const noMessage = fixed(new Error(), "Error");
console.log(noMessage);
console.log(fixed(new Error("multi\nline")));
const nested = { a: { b: { c: bare(new Error("deep")) } } };
console.log(nested);
console.log("%s", bare(new Error("as string")));
console.log("%s", fixed(new Error("as string with stack")));
console.log(Object.create(Error.prototype));
const unnamed = fixed(new Error("x"));
Object.defineProperty(unnamed, "name", { value: 5 });
console.log(unnamed);
console.error(fixed(new Error("to stderr")));
