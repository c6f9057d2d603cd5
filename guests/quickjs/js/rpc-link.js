// Links: what stubs hold. A link leads to a stub of the host, to a service
// binding, or to an object of this isolate, and lives as long as something holds
// it. And the export table: the objects that others hold.
import { Error, Map, Set } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Writer, call } from "mayfly:host";
import { STUB_RELEASE } from "mayfly:op.gen";
import { handleOf } from "mayfly:binding";
import {
  MapPrototypeDelete, MapPrototypeForEach, MapPrototypeGet, MapPrototypeSet, PromiseResolve, ReflectApply, SetPrototypeAdd, SetPrototypeDelete, SetPrototypeForEach, promiseThen,
} from "mayfly:primordials";

const { endLease, newLease } = native;
const { dispose: SymbolDispose } = Symbol;

let currentEvent = () => 0;
let held = () => {};

// setEvents tells of the events of a worker: current() is the number of the one
// that runs, 0 for none; held(event, difference) is told how many more of its
// exports are held.
export function setEvents(events) {
  currentEvent = events.current;
  held = events.held;
}

// remoteLink is a link to a stub of the host. Unless it is permanent it is of use
// only to the event that got it: the host drops it then.
export function remoteLink(handle, permanent) {
  return { __proto__: null, handle, reference: undefined, event: permanent ? 0 : currentEvent(), count: 1, object: undefined, own: false, dispose: undefined, lease: undefined };
}

// leasedLink is one that need not be dropped: its handle is given up with it.
export function leasedLink(handle) {
  return { __proto__: null, handle, reference: undefined, event: currentEvent(), count: 1, object: undefined, own: false, dispose: undefined, lease: newLease(handle) };
}

// bindingLink is a link to a service of env.
export function bindingLink(reference) {
  return { __proto__: null, handle: 0, reference, event: 0, count: 1, object: undefined, own: false, dispose: undefined, lease: undefined };
}

// localLink is a link to an object of this isolate.
export function localLink(object, own) {
  const dispose = object[SymbolDispose];
  return { __proto__: null, handle: 0, reference: undefined, event: currentEvent(), count: 1, object, own, dispose: typeof dispose === "function" ? dispose : undefined, lease: undefined };
}

// requireLink fails for what is of another event, or given up.
export function requireLink(link) {
  if (link === undefined) throw new Error("RPC stub used after being disposed.");
  if (link.event !== 0 && link.event !== currentEvent()) {
    throw new Error("Cannot perform I/O on behalf of a different request. I/O objects (such as streams, request/response bodies, and others) created in the context of one request handler cannot be accessed from a different request's handler. This is a limitation of Cloudflare Workers which allows us to improve overall performance.");
  }
  return link;
}

export const isLocal = (link) => link.object !== undefined;

export function linkHandle(link) {
  if (link.reference === undefined) return link.handle;
  const handle = handleOf(link.reference);
  // What a worker's events find in env stays: call.h may use it from now on.
  if (currentEvent() !== 0) link.handle = handle;
  return handle;
}

const soon = PromiseResolve(undefined);

// drop gives up one hold of a link. Where that was the last one of an object that
// is told, over is called when it was.
export function drop(link, over = undefined) {
  const last = --link.count === 0;
  if (last && link.dispose !== undefined) {
    // What it throws is of nobody's call: an unhandled rejection.
    const told = promiseThen(soon, () => ReflectApply(link.dispose, link.object, []));
    if (over !== undefined) {
      promiseThen(told, over, (error) => {
        over();
        throw error;
      });
    }
    return;
  }
  if (last && link.lease !== undefined) endLease(link.lease);
  else if (last && link.handle !== 0 && link.reference === undefined) call(STUB_RELEASE, new Writer(4).u32(link.handle).done());
  if (over !== undefined) over();
}

// ---- the export table

const exported = new Map(); // id → { link, event }
let lastExport = 0;

let lending = false;
const lent = new Map(); // event → set of ids
let lentEvents = 0;      // how many there are

// setLending says whether what is given out from now on is lent: others may hold
// it as long as the event goes on for another reason, which does not wait for
// them. It answers what was so before. What goes with arguments is lent, what
// goes with answers is not.
export function setLending(now) {
  const before = lending;
  lending = now;
  return before;
}

// endExports forgets what an event has lent that is over, and what others hold
// of it: the host lets nobody have it any more.
export function endExports(event, isHeld) {
  if (!isHeld && lentEvents === 0) return;
  if (isHeld) MapPrototypeForEach(exported, (entry, id) => { if (entry.event === event) releaseExport(id); });
  const ids = MapPrototypeGet(lent, event);
  if (ids === undefined) return;
  MapPrototypeDelete(lent, event);
  lentEvents--;
  SetPrototypeForEach(ids, releaseExport);
}

// holding has the event that runs go on until what it answers is called.
export function holding() {
  const event = currentEvent();
  let over = false;
  held(event, 1);
  return () => {
    if (over) return;
    over = true;
    held(event, -1);
  };
}

// exportLink lets others hold a local link, under a number that is never used
// again.
export function exportLink(link) {
  const id = ++lastExport;
  const event = currentEvent();
  link.count++;
  MapPrototypeSet(exported, id, { __proto__: null, link, event, waits: !lending });
  if (lending) {
    let ids = MapPrototypeGet(lent, event);
    if (ids === undefined) {
      MapPrototypeSet(lent, event, ids = new Set());
      lentEvents++;
    }
    SetPrototypeAdd(ids, id);
  } else {
    held(event, 1);
  }
  return id;
}

// exportOf answers { link, event } of an export, or undefined.
export const exportOf = (id) => MapPrototypeGet(exported, id);

// releaseExport forgets an export that nobody holds any more.
export function releaseExport(id) {
  const entry = MapPrototypeGet(exported, id);
  if (entry === undefined) return;
  MapPrototypeDelete(exported, id);
  if (entry.waits) {
    drop(entry.link, () => held(entry.event, -1));
  } else {
    drop(entry.link);
    const ids = MapPrototypeGet(lent, entry.event);
    if (ids !== undefined) SetPrototypeDelete(ids, id);
  }
}
