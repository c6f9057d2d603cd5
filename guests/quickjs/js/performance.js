// performance: now, timeOrigin, toJSON, over the isolate's coarse clock. Marks
// and measures are missing on purpose: there is nobody to observe them.
import { TypeError } from "mayfly:intrinsics";
import { now, timeOrigin } from "mayfly:clock";
import { EventTarget } from "mayfly:event";
import { defineInterface, expose } from "mayfly:interface";

let internal = true;

export class Performance extends EventTarget {
  #brand;
  constructor() {
    if (!internal) throw new TypeError("Illegal constructor");
    super();
  }
  now() { this.#brand; return now(); }
  get timeOrigin() { this.#brand; return timeOrigin(); }
  toJSON() { return { timeOrigin: this.timeOrigin }; }
}
defineInterface(Performance);

export const performance = new Performance();
internal = false;

expose({ Performance, performance });
