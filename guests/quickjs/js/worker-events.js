// The events of a worker that are under way, by their numbers. What modules keep
// of operations that an event may leave behind is noted in its sets timers and
// bodies, which are made when they are needed.
import { Map } from "mayfly:intrinsics";
import native from "mayfly:native";
import { MapPrototypeGet } from "mayfly:primordials";

export const events = new Map();

export const eventOf = (id) => MapPrototypeGet(events, id);

// currentEvent is the event of the turn, or undefined.
export function currentEvent() {
  const id = native.currentEvent();
  return id === 0 ? undefined : MapPrototypeGet(events, id);
}
