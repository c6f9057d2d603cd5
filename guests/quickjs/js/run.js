// What the program of this life was told: its name, arguments, environment and
// working directory. The guest announces them once, when they are asked for.
import native from "mayfly:native";

let program = { __proto__: null, name: "", args: [], env: {}, cwd: "/" };
let directory;

export function startRun(told) { program = told; }
export function cwd() {
  native.announce();
  return directory ?? (program.cwd || "/");
}
export const setCwd = (path) => { directory = path; };
