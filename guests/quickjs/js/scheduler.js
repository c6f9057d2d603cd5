// scheduler.wait(ms, { signal }): a timer as a promise. Tasks with priorities are
// missing on purpose: there is nothing that they could come before.
import { TypeError } from "mayfly:intrinsics";
import { isAborted, isSignal, reasonOf, subscribe, unsubscribe } from "mayfly:abort";
import { defineInterface, dictionary, expose, requireArguments } from "mayfly:interface";
import { PromiseReject, newPromise } from "mayfly:primordials";
import { clearTimeout, setTimeout } from "mayfly:timers";

const internal = {};

export class Scheduler {
  #brand;
  constructor(key = undefined) {
    if (key !== internal) throw new TypeError("Illegal constructor");
  }

  wait(delay, maybeOptions = undefined) {
    try {
      this.#brand;
      requireArguments(arguments.length, 1, "scheduler.wait");
      const ms = +delay;
      const { signal } = dictionary(maybeOptions, "scheduler.wait: options");
      if (signal !== undefined && !isSignal(signal)) throw new TypeError("scheduler.wait: signal is not an AbortSignal");
      if (signal !== undefined && isAborted(signal)) throw reasonOf(signal);
      return newPromise((resolve, reject) => {
        let abort;
        const timer = setTimeout(() => {
          if (signal !== undefined) unsubscribe(signal, abort);
          resolve();
        }, ms);
        if (signal === undefined) return;
        abort = (reason) => {
          clearTimeout(timer);
          reject(reason);
        };
        subscribe(signal, abort);
      });
    } catch (error) {
      return PromiseReject(error);
    }
  }
}
defineInterface(Scheduler);

export const scheduler = new Scheduler(internal);

expose({ Scheduler, scheduler });
