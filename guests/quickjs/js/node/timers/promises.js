// node:timers/promises
import * as timers from "mayfly:timers";
import { isSignal, subscribe, unsubscribe } from "mayfly:abort";
import { coded, invalidArgType } from "mayfly:node-errors";

const { Error, Promise } = globalThis;

function aborted(reason) {
  const error = coded(new Error("The operation was aborted", { cause: reason }), "ABORT_ERR");
  error.name = "AbortError";
  return error;
}

function wait(begin, end, value, options) {
  return new Promise((resolve, reject) => {
    const { signal, ref = true } = options ?? {};
    if (signal !== undefined && !isSignal(signal)) throw invalidArgType("options.signal", "an instance of AbortSignal", signal);
    if (signal?.aborted) throw aborted(signal.reason);
    const id = begin(() => {
      if (signal !== undefined) unsubscribe(signal, stop);
      resolve(value);
    });
    if (!ref) timers.unref(id);
    const stop = (reason) => {
      end(id);
      reject(aborted(reason));
    };
    if (signal !== undefined) subscribe(signal, stop);
  });
}

export const setTimeout = (delay, value, options) => wait((done) => timers.setTimeout(done, delay), timers.clearTimeout, value, options);
export const setImmediate = (value, options) => wait((done) => timers.setImmediate(done), timers.clearImmediate, value, options);
export async function* setInterval(delay, value, options) {
  for (;;) {
    await setTimeout(delay, undefined, options);
    yield value;
  }
}
export const scheduler = {
  wait: (delay, options) => setTimeout(delay, undefined, options),
  yield: () => setImmediate(),
};
export default { scheduler, setImmediate, setInterval, setTimeout };
