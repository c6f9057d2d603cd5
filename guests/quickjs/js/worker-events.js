// The events of a worker that are under way, by their numbers.
import { Map } from "mayfly:intrinsics";
import { MapPrototypeGet, MapPrototypeHas } from "mayfly:primordials";

export const events = new Map();

export const eventOf = (id) => MapPrototypeGet(events, id);

// isOver tells that what belongs to an event is of no use any more. What belongs
// to none lives as long as the isolate.
export const isOver = (id) => id !== 0 && !MapPrototypeHas(events, id);
