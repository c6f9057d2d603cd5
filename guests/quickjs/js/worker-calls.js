// Calls of a worker's entrypoints and of what it gave out; and what contexts and
// the environment need of values.
import native from "mayfly:native";
import { Reader } from "mayfly:host";
import { decodeValue, endExports, makeLent, makeLoopback, releaseExport, setEvents } from "mayfly:rpc";
import { answerWith, isDisposable, sendResult, serveCall, serveExport } from "mayfly:rpc-serve";
import { CALL, invoke, invokeMethod } from "mayfly:rpc-target";
import { connectContext } from "mayfly:worker-context";
import { connectEnvironment, environment } from "mayfly:worker-env";
import { answer, answered, connectEnd, contextOf, eventOf, fail, hold, receiver, setCalls, waitUntil } from "mayfly:worker";

// Parts of what native.readCall answers.
const TARGET = 0;
const ENTRYPOINT = 1;
const PROPS = 2;

setEvents({
  __proto__: null,
  current: native.currentEvent,
  held(id, difference) {
    const event = eventOf(id);
    if (event !== undefined) hold(event, difference);
  },
});

setCalls({
  __proto__: null,
  call(event, message) {
    const parts = native.readCall(message, 0);
    const over = () => answered(event);
    const failed = (error) => fail(event, error);
    if (parts[TARGET] === 1) {
      serveExport(event.id, message, parts, (id) => { event.within = id; }, over, failed);
      return;
    }
    event.props = message;
    event.propsAt = parts[PROPS];
    const { object, isClass } = receiver(event, parts[ENTRYPOINT]);
    serveCall(event.id, {
      __proto__: null, object, own: !isClass, entrypoint: true, env: isClass ? undefined : environment(), ctx: isClass ? undefined : contextOf(event),
    }, message, parts, over, failed);
  },
  method(event, name, args) {
    const target = receiver(event, undefined);
    const value = target.isClass
      ? invokeMethod(target.object, name, args)
      : invoke({ __proto__: null, object: target.object, own: true, entrypoint: true, env: environment(), ctx: contextOf(event) }, [name], CALL, args);
    answerWith(value, (result) => {
      if (event.answered) return; // nobody waits any more
      if (isDisposable(result)) {
        sendResult(event.id, result);
        answered(event);
      } else {
        answer(event, result);
      }
    }, (error) => fail(event, error));
  },
  release(message) {
    const r = new Reader(message);
    releaseExport(r.u32());
  },
});

connectContext(waitUntil, (event) => decodeValue(event.props, event.propsAt) ?? {}, makeLoopback, makeLent);
connectEnd(endExports);
connectEnvironment((message) => decodeValue(message, 1, true));
