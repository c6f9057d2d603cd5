// The clocks of the isolate: coarse, so that they are of little use to attacks
// by timing.
import { Reader, call } from "mayfly:host";
import { CLOCK } from "mayfly:op.gen";

// now is the time since the isolate started, in milliseconds.
export function now() {
  const r = new Reader(call(CLOCK));
  r.f64();
  return r.f64();
}

// timeOrigin is when the isolate started, in milliseconds of Unix time.
export function timeOrigin() {
  const r = new Reader(call(CLOCK));
  return r.f64() - r.f64();
}
