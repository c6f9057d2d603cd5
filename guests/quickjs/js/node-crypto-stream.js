// Streams that become ones when they are used so: most hashes never are, and a
// stream's state is dear.
import { stream } from "mayfly:stream";
import { FunctionPrototypeCall, ObjectDefineProperty, ObjectSetPrototypeOf } from "mayfly:primordials";

function lazy(Stream, states) {
  function Lazy(options) {
    ObjectDefineProperty(this, "_options", { __proto__: null, value: options, writable: true, configurable: true });
  }
  ObjectSetPrototypeOf(Lazy.prototype, Stream.prototype);
  ObjectSetPrototypeOf(Lazy, Stream);
  const set = (object, name, value) => ObjectDefineProperty(object, name, { __proto__: null, value, writable: true, configurable: true });
  for (const name of states) {
    ObjectDefineProperty(Lazy.prototype, name, {
      __proto__: null, configurable: true,
      get() {
        if (this === Lazy.prototype || !("_options" in this)) return undefined;
        for (const state of states) set(this, state, undefined); // so that nothing comes back here
        FunctionPrototypeCall(Stream, this, this._options);
        return this[name];
      },
      set(value) { set(this, name, value); },
    });
  }
  return Lazy;
}

export const LazyTransform = lazy(stream.Transform, ["_readableState", "_writableState"]);
export const LazyWritable = lazy(stream.Writable, ["_writableState"]);
