// What a worker says by its console: the operation log.
import { Writer, call } from "mayfly:host";
import { LOG } from "mayfly:op.gen";
import { inspect } from "mayfly:inspect";
import { ArrayIsArray, ArrayPrototypeJoin, JSONStringify, ObjectGetPrototypeOf, StringPrototypeSlice, StringPrototypeToWellFormed } from "mayfly:primordials";

const ObjectPrototype = Object.prototype;

// LIMIT is how much of a message is kept, in UTF-16 code units: of its text, and
// of its arguments as JSON.
const LIMIT = 32 * 1024;

const CUT = " … (cut)";

const cut = (text) => (text.length <= LIMIT ? text : StringPrototypeToWellFormed(StringPrototypeSlice(text, 0, LIMIT)) + CUT);

// jsonOf is an argument as trace items have it: what JSON can say as it is, all
// else as text.
function jsonOf(value) {
  switch (typeof value) {
    case "string": return JSONStringify(cut(value));
    case "number": case "boolean": return JSONStringify(value);
    case "undefined": return "null";
    case "object":
      if (value === null) return "null";
      try {
        const proto = ObjectGetPrototypeOf(value);
        if (proto === ObjectPrototype || proto === null || ArrayIsArray(value)) {
          const json = JSONStringify(value);
          if (typeof json === "string" && json.length <= LIMIT) return json;
        }
      } catch {
        // a cycle, or something that throws: its text does
      }
  }
  return JSONStringify(cut(inspect(value)));
}

// log says something: text as a terminal shows it, of these arguments.
export function log(level, text, args) {
  const parts = [];
  let size = 0;
  for (let i = 0; i < args.length; i++) {
    const json = jsonOf(args[i]);
    size += json.length;
    if (size > LIMIT) {
      parts[i] = JSONStringify("…");
      break;
    }
    parts[i] = json;
  }
  call(LOG, new Writer(2 * text.length + 64).u8(level).str(cut(text)).str(`[${ArrayPrototypeJoin(parts, ",")}]`).done());
}
