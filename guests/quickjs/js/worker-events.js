// The events of a worker that are under way, by their numbers. What modules keep
// of operations that an event may leave behind is noted in its sets timers and
// bodies, which are made when they are needed.
import { Map } from "mayfly:intrinsics";
import native from "mayfly:native";
import { MapPrototypeDelete, MapPrototypeForEach, MapPrototypeGet, MapPrototypeSet, ObjectSetPrototypeOf } from "mayfly:primordials";

export class WorkerEvent {
  constructor(id, request, props) {
    this.id = id;
    this.waits = 1;
    this.answered = false;
    this.request = request;
    this.props = props;
  }
}

// What most events never have is the prototype's, which costs them nothing.
const initial = WorkerEvent.prototype;
ObjectSetPrototypeOf(initial, null);
// waits counts what keeps an event from being over: its answer, what waitUntil
// waits for (also in after), bodies that are being written, sockets, exports that
// are held (also in held).
initial.after = 0;
initial.held = 0;
// props is a value, at propsAt; decoded is what it says, once it was asked for.
initial.propsAt = 0;
initial.decoded = undefined;
initial.context = undefined;
initial.passThrough = false;
initial.entrypoint = "";
initial.timers = undefined;
initial.bodies = undefined;

const events = new Map();

// Most events are over when their handler returns: the one that begins is not
// among the others until then.
let begun;

export function begin(event) { begun = event; }

// remain has the event that begins be one of the others, unless it is over.
export function remain(event) {
  if (begun !== event) return;
  begun = undefined;
  MapPrototypeSet(events, event.id, event);
}

// remove forgets an event. False if it was over already.
export function remove(event) {
  if (begun === event) {
    begun = undefined;
    return true;
  }
  return MapPrototypeDelete(events, event.id);
}

export const forEachEvent = (f) => MapPrototypeForEach(events, f);

export const eventOf = (id) => (begun !== undefined && begun.id === id ? begun : MapPrototypeGet(events, id));

// currentEvent is the event of the turn, or undefined.
export function currentEvent() {
  const id = native.currentEvent();
  return id === 0 ? undefined : eventOf(id);
}
