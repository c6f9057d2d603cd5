/*---
rows = [21, 19]
attack = "names of the environment and of the input that are those of prototypes, and standard input that is no text"
match = "^\\[(null|\"own\"),\"own\",\"object\",true\\]$"
[request]
stdin = "\u0000\ud7ff\uffff\r\n\u2028"
input = { constructor = { prototype = { polluted = true } }, "__proto__" = { polluted = true } }
env = { "__proto__" = "own", constructor = "own", toString = "z" }
---*/
const own = (o, k) => Object.getOwnPropertyDescriptor(o, k)?.value;
export default (input, env) => {
  if ({}.polluted || [].polluted || input.polluted) throw new Error("polluted");
  return [own(env, "__proto__"), own(process.env, "constructor") ?? process.env.constructor, typeof own(input, "__proto__"), Object.getPrototypeOf(input) === Object.prototype];
};
