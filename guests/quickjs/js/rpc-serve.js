// Answering calls from other isolates.
import { Error } from "mayfly:intrinsics";
import native from "mayfly:native";
import { drop, exportOf } from "mayfly:rpc-link";
import { GET, invoke } from "mayfly:rpc-target";
import { decodeArguments, sending, withDisposal } from "mayfly:rpc-value";
import { PromiseResolve, promiseThen } from "mayfly:primordials";

// Parts of what native.readCall answers.
const EXPORT = 3;
const KIND = 4;
const PATH = 5;
const ARGUMENTS = 6;

const answered = PromiseResolve(undefined);

// serveCall calls a receiver (see invoke of rpc-target.js) as the message of a
// dispatched call says, of which native.readCall made parts, and gives the event
// its answer. It answers a promise, which is rejected with what is to be the
// answer instead.
export function serveCall(event, receiver, message, parts) {
  const kind = parts[KIND];
  const args = kind === GET ? undefined : decodeArguments(message, parts[ARGUMENTS]);
  let value;
  try {
    value = invoke(receiver, parts[PATH], kind, args?.value);
  } catch (error) {
    args?.dispose();
    throw error;
  }
  // What is no object needs no turn of its own.
  if ((typeof value !== "object" || value === null) && typeof value !== "function") {
    finish(event, value, args);
    return answered;
  }
  return promiseThen(PromiseResolve(value), (result) => finish(event, result, args), (error) => {
    args?.dispose();
    throw error;
  });
}

function finish(event, value, args) {
  const { value: result, link } = withDisposal(value);
  try {
    sending(() => native.answerCall(event, result), false);
  } finally {
    if (link !== undefined) drop(link);
    args?.dispose();
  }
}

// serveExport does the same with an object that was given out: the call is part
// of the event that did.
export function serveExport(event, message, parts) {
  const entry = exportOf(parts[EXPORT]);
  if (entry === undefined) throw new Error("RPC stub used after being disposed.");
  const { link } = entry;
  native.enterEvent(entry.event);
  return serveCall(event, { __proto__: null, object: link.object, own: link.own, entrypoint: false, env: undefined, ctx: undefined }, message, parts);
}
