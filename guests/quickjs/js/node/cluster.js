// node:cluster: an isolate is on its own.
import { EventEmitter } from "mayfly:emitter";
import { unavailable } from "mayfly:unavailable";

const cluster = Object.assign(new EventEmitter(), unavailable("cluster", "an isolate runs no other programs", ["Worker", "disconnect", "fork", "setupMaster", "setupPrimary"]), {
  SCHED_NONE: 1, SCHED_RR: 2, isMaster: true, isPrimary: true, isWorker: false, schedulingPolicy: 2, settings: {}, workers: {},
});
export default cluster;
export const { SCHED_NONE, SCHED_RR, Worker, disconnect, fork, isMaster, isPrimary, isWorker, schedulingPolicy, settings, setupMaster, setupPrimary, workers } = cluster;
