// Answering calls from other isolates.
import { Error } from "mayfly:intrinsics";
import native from "mayfly:native";
import { drop, exportOf } from "mayfly:rpc-link";
import { GET, invoke } from "mayfly:rpc-target";
import { beginMessage, decodeArguments, disposeAll, endMessage, failMessage, withDisposal } from "mayfly:rpc-value";
import { ObjectGetPrototypeOf, PromiseResolve, promiseThen } from "mayfly:primordials";

const { dispose: SymbolDispose } = Symbol;

// Parts of what native.readCall answers.
const EXPORT = 3;
const KIND = 4;
const PATH = 5;
const ARGUMENTS = 6;

// serveCall calls a receiver (see invoke of rpc-target.js) as the message of a
// dispatched call says, of which native.readCall made parts, and gives the event
// its answer: over() is called then, or failed(error) with what is to be the
// answer instead. It may throw that, too.
export function serveCall(event, receiver, message, parts, over, failed) {
  const kind = parts[KIND];
  const args = kind === GET ? noArguments : decodeArguments(message, parts[ARGUMENTS]);
  let value;
  try {
    value = invoke(receiver, parts[PATH], kind, args.value);
  } catch (error) {
    disposeAll(args.stubs);
    throw error;
  }
  answerWith(value, (result) => {
    finish(event, result, args);
    over();
  }, (error) => {
    disposeAll(args.stubs);
    failed(error);
  });
}

// answerWith calls done with what a method answered, now if that is there. What
// done throws is thrown then; later it fails, as a promise that is rejected does.
export function answerWith(value, done, failed) {
  if (!mayWait(value)) {
    done(value);
    return;
  }
  const details = native.promiseDetails(value);
  if (details !== undefined && details[0] === FULFILLED) {
    done(details[1]);
    return;
  }
  promiseThen(PromiseResolve(value), (result) => {
    try {
      done(result);
    } catch (error) {
      failed(error);
    }
  }, failed);
}
const FULFILLED = 1;
const noArguments = { __proto__: null, value: undefined, stubs: [] };

// mayWait tells of a value that it may be a promise: what is none is answered
// with at once.
function mayWait(value) {
  if (typeof value === "function") return true;
  return typeof value === "object" && value !== null && (ObjectGetPrototypeOf(value) !== ObjectPrototype || "then" in value);
}
const ObjectPrototype = Object.prototype;

// isDisposable tells of a result that its callers dispose of it: sendResult sends
// it then.
export const isDisposable = (value) => (typeof value === "object" && value !== null) && value[SymbolDispose] !== undefined;

export const sendResult = (event, value) => finish(event, value, noArguments);

function finish(event, value, args) {
  const { value: result, link } = withDisposal(value);
  const outer = beginMessage(false);
  try {
    native.answerCall(event, result);
  } catch (error) {
    failMessage(outer);
    throw error;
  } finally {
    if (link !== undefined) drop(link);
    disposeAll(args.stubs);
  }
  endMessage(outer);
}

// serveExport does the same with an object that was given out: the call is part
// of the event that did, whose number within is told.
export function serveExport(event, message, parts, within, over, failed) {
  const entry = exportOf(parts[EXPORT]);
  if (entry === undefined) throw new Error("RPC stub used after being disposed.");
  const { link } = entry;
  native.enterEvent(entry.event);
  within(entry.event);
  serveCall(event, { __proto__: null, object: link.object, own: link.own, entrypoint: false, env: undefined, ctx: undefined }, message, parts, over, failed);
}
