// The classes that a worker's entrypoints extend.
import { Error } from "mayfly:intrinsics";
import { ObjectGetPrototypeOf } from "mayfly:primordials";

export class WorkerEntrypoint {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

const unsupported = (name) => class {
  constructor() {
    throw new Error(`${name} is not supported here yet`);
  }
};
export const DurableObject = unsupported("DurableObject");
export const WorkflowEntrypoint = unsupported("WorkflowEntrypoint");

// isEntrypointClass asks for WorkerEntrypoint in the chain of classes.
export function isEntrypointClass(value) {
  for (let c = value; c !== null; c = ObjectGetPrototypeOf(c)) {
    if (c === WorkerEntrypoint) return true;
  }
  return false;
}
