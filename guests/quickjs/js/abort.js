// AbortController and AbortSignal, after the DOM standard (§3).
import { DOMException, Set, TypeError } from "mayfly:intrinsics";
import { EventTarget, Event, connectAbortSignal, dispatch, getHandler, setHandler, setTrusted } from "mayfly:event";
import { setTimeout } from "mayfly:timers";
import { defineInterface, expose, requireArguments } from "mayfly:interface";
import { ArrayPrototypePush, ObjectGetOwnPropertyDescriptor, SetPrototypeAdd, SetPrototypeDelete, SetPrototypeForEach, SymbolIterator, uncurryThis } from "mayfly:primordials";

export let signalAbort;
let subscribe, unsubscribe, isSignal, follow, startTimeout;
let internal = false;

function newSignal() {
  internal = true;
  try {
    return new AbortSignal();
  } finally {
    internal = false;
  }
}

const abortError = () => new DOMException("This operation was aborted", "AbortError");

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason;
  #algorithms;
  // Of signals made by any(): those that they follow are asked when they
  // abort, through their dependents.
  #dependents;
  #isDependent = false;
  #sources;

  constructor() {
    if (!internal) throw new TypeError("Illegal constructor");
    super();
  }

  static abort(reason = undefined) {
    const signal = newSignal();
    signal.#aborted = true;
    signal.#reason = reason === undefined ? abortError() : reason;
    return signal;
  }

  static timeout(milliseconds) {
    requireArguments(arguments.length, 1, "AbortSignal.timeout");
    const ms = +milliseconds;
    if (!(ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)) throw new TypeError("AbortSignal.timeout: the time is out of range");
    const signal = newSignal();
    startTimeout(signal, ms);
    return signal;
  }

  static any(signals) {
    requireArguments(arguments.length, 1, "AbortSignal.any");
    if (signals === null || typeof signals !== "object" || typeof signals[SymbolIterator] !== "function") {
      throw new TypeError("AbortSignal.any: the argument is not iterable");
    }
    const list = [];
    for (const signal of signals) {
      if (!isSignal(signal)) throw new TypeError("AbortSignal.any: an item is not an AbortSignal");
      ArrayPrototypePush(list, signal);
    }
    const result = newSignal();
    for (let i = 0; i < list.length; i++) {
      if (list[i].#aborted) {
        follow(result, list[i]);
        return result;
      }
    }
    for (let i = 0; i < list.length; i++) follow(result, list[i]);
    return result;
  }

  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }
  throwIfAborted() { if (this.#aborted) throw this.#reason; }
  get onabort() { this.#aborted; return getHandler(this, "abort"); }
  set onabort(value) { this.#aborted; setHandler(this, "abort", value); }

  static {
    isSignal = (value) => typeof value === "object" && value !== null && #aborted in value;

    // Signals that follow others hang on those that nobody but their own
    // controllers abort.
    follow = (result, source) => {
      if (source.#aborted) {
        result.#aborted = true;
        result.#reason = source.#reason;
        return;
      }
      if (!result.#isDependent) {
        result.#isDependent = true;
        result.#sources = new Set();
      }
      const add = (s) => {
        SetPrototypeAdd(result.#sources, s);
        s.#dependents ??= new Set();
        SetPrototypeAdd(s.#dependents, result);
      };
      if (source.#isDependent) SetPrototypeForEach(source.#sources, add);
      else add(source);
    };

    signalAbort = (signal, reason) => {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason = reason === undefined ? abortError() : reason;
      const run = [signal];
      const dependents = signal.#dependents;
      if (dependents !== undefined) {
        SetPrototypeForEach(dependents, (dependent) => {
          if (dependent.#aborted) return;
          dependent.#aborted = true;
          dependent.#reason = signal.#reason;
          ArrayPrototypePush(run, dependent);
        });
        signal.#dependents = undefined;
      }
      for (let i = 0; i < run.length; i++) {
        const each = run[i];
        const algorithms = each.#algorithms;
        each.#algorithms = undefined;
        if (algorithms !== undefined) SetPrototypeForEach(algorithms, (algorithm) => algorithm(each.#reason));
        const event = new Event("abort");
        setTrusted(event);
        dispatch(each, event);
      }
    };

    // subscribe calls algorithm(reason) when the signal aborts, before its
    // events: at once if it has aborted already.
    subscribe = (signal, algorithm) => {
      if (signal.#aborted) {
        algorithm(signal.#reason);
        return;
      }
      signal.#algorithms ??= new Set();
      SetPrototypeAdd(signal.#algorithms, algorithm);
    };
    unsubscribe = (signal, algorithm) => {
      if (signal.#algorithms !== undefined) SetPrototypeDelete(signal.#algorithms, algorithm);
    };
    startTimeout = (signal, ms) => {
      setTimeout(() => signalAbort(signal, new DOMException("The operation was aborted due to timeout", "TimeoutError")), ms, undefined);
    };
  }
}
defineInterface(AbortSignal);

export class AbortController {
  #signal = newSignal();
  get signal() { return this.#signal; }
  abort(reason = undefined) { signalAbort(this.#signal, reason); }
}
defineInterface(AbortController);

connectAbortSignal(isSignal, (signal, algorithm) => subscribe(signal, algorithm));

// isAborted and reasonOf ask a signal without its public accessors; followSignal
// makes one that aborts with another.
const isAborted = uncurryThis(ObjectGetOwnPropertyDescriptor(AbortSignal.prototype, "aborted").get);
const reasonOf = uncurryThis(ObjectGetOwnPropertyDescriptor(AbortSignal.prototype, "reason").get);
function followSignal(signal) {
  const follower = newSignal();
  if (signal !== undefined) follow(follower, signal);
  return follower;
}

export { isAborted, isSignal, reasonOf, followSignal, subscribe, unsubscribe };
expose({ AbortController, AbortSignal });
