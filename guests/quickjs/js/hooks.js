// What the guest calls of the bootstrap: see native.h.
import { DOMException } from "mayfly:intrinsics";
import native from "mayfly:native";
import { inspect } from "mayfly:inspect";
import { runCommonJS } from "mayfly:require";
import { reportRejection, reportUncaught } from "mayfly:event";
import { forgetTask } from "mayfly:performance";
import { moduleFrom } from "mayfly:webassembly";
import { makeError } from "mayfly:webassembly-types";
import { beforeExit, beginCell, extendEnvironment, finish, process, startProcess, tick, uncaughtError } from "mayfly:process";
import { forgetTimers } from "mayfly:timers";
import { forgetBindings } from "mayfly:binding";
import { env } from "mayfly:worker-env";
import { dispatch, handleCall, handleFetch, idle, serve } from "mayfly:worker";

const REJECTION = 2;

native.setHooks({
  __proto__: null,
  start: startProcess,
  invoke: extendEnvironment,
  cell() {
    beginCell();
    forgetTimers();
    forgetBindings();
    forgetTask();
  },
  env,
  emitter: process,
  inspect: (value) => inspect(value),
  domException: (message, name) => makeError(name, message) ?? new DOMException(message, name),
  uncaught(error, origin, promise) {
    if (origin === REJECTION) return reportRejection(promise, error) || uncaughtError(error, true, promise);
    return reportUncaught(error) || uncaughtError(error, false);
  },
  commonjs: runCommonJS,
  wasmModule: moduleFrom,
  serve,
  dispatch,
  fetch: handleFetch,
  call: handleCall,
  idle,
  tick,
  beforeExit,
  exit: finish,
});
