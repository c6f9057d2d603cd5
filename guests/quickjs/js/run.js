// What the program of this life was told: its name, arguments, environment and
// working directory. The guest announces them once, before the program runs.

let program = { __proto__: null, name: "", args: [], env: {}, cwd: "/" };
let directory;

export function startRun(told) {
  program = told;
  directory = undefined;
}
export const cwd = () => directory ?? (program.cwd || "/");
export const setCwd = (path) => { directory = path; };
