// The clocks of the isolate: coarse, so that they are of little use to attacks
// by timing.
import native from "mayfly:native";

// now is the time since the isolate started, in milliseconds.
export const now = native.now;
// timeOrigin is when the isolate started, in milliseconds of Unix time.
export const timeOrigin = () => native.unixNow() - native.now();
