import { stringify } from "csv-stringify";
import { stringify as stringifySync } from "csv-stringify/sync";
import { equal } from "../check.js";

equal(stringifySync([[1, "a,b"], [null, 'q"']]), '1,"a,b"\n,"q"""\n');
equal(stringifySync([{ a: 1, b: true }], { header: true, columns: ["b", "a"], cast: { boolean: (v) => (v ? "yes" : "no") } }), "b,a\nyes,1\n");
equal(stringifySync([["x", "y"]], { delimiter: "\t", quoted: true }), '"x"\t"y"\n');
const s = stringify({ header: true });
let text = "";
s.setEncoding?.("utf8");
s.on("data", (chunk) => { text += chunk; });
s.write({ a: 1 });
s.end({ a: 2 });
await new Promise((resolve, reject) => s.on("end", resolve).on("error", reject));
equal(text, "a\n1\n2\n");
equal(await new Promise((resolve, reject) => stringify([[1]], (e, v) => (e ? reject(e) : resolve(v)))), "1\n");
