// node:worker_threads: an isolate has one thread, the main one.
import { unavailable } from "mayfly:unavailable";

const { BroadcastChannel, MessageChannel, MessagePort } = globalThis;
const environment = new Map();
const module = {
  ...unavailable("worker_threads", "an isolate has one thread", ["Worker", "moveMessagePortToContext", "postMessageToThread", "receiveMessageOnPort"]),
  BroadcastChannel, MessageChannel, MessagePort,
  SHARE_ENV: Symbol.for("nodejs.worker_threads.SHARE_ENV"),
  isInternalThread: false, isMainThread: true, parentPort: null, resourceLimits: {}, threadId: 0, threadName: "", workerData: null,
  getEnvironmentData: (key) => environment.get(key),
  setEnvironmentData(key, value = undefined) {
    if (value === undefined) environment.delete(key);
    else environment.set(key, value);
  },
  isMarkedAsUntransferable: () => false,
  markAsUncloneable() {},
  markAsUntransferable() {},
};
export default module;
export const {
  SHARE_ENV, Worker, getEnvironmentData, isInternalThread, isMainThread, isMarkedAsUntransferable, markAsUncloneable, markAsUntransferable, moveMessagePortToContext,
  parentPort, postMessageToThread, receiveMessageOnPort, resourceLimits, setEnvironmentData, threadId, threadName, workerData,
} = module;
export { BroadcastChannel, MessageChannel, MessagePort };
