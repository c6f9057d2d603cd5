// The env of a worker: the bindings of a deployed one, or what its parent gave a
// dynamic one.
import { call } from "mayfly:host";
import { ENVIRONMENT } from "mayfly:op.gen";
import { Uint8Array } from "mayfly:intrinsics";
import { env as bindings } from "mayfly:env";

const none = new Uint8Array(0);
let current;
let decode;

// connectEnvironment tells how values are decoded: decode(message).
export function connectEnvironment(decoder) { decode = decoder; }

export function environment() {
  if (current !== undefined) return current;
  const message = call(ENVIRONMENT, none);
  return current = message[0] === 0 ? bindings : decode(message);
}
