// What modules of node have and isolates can't: functions and classes that say
// so when they are called.
import { Error } from "mayfly:intrinsics";
import { coded } from "mayfly:node-errors";

export const refusal = (what, why) => coded(new Error(`${what} is not available here: ${why}`), "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM");

// unavailable makes functions of a module by their names. They can be called as
// constructors, too.
export function unavailable(module, why, names) {
  const functions = {};
  for (const name of names) {
    functions[name] = { [name]: function () { throw refusal(`${module}.${name}`, why); } }[name];
  }
  return functions;
}
