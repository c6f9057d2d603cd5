import { parse, parseAllDocuments, parseDocument, stringify } from "yaml";
import { equal, match, throws } from "../check.js";

equal(parse("a: 1\nb:\n  - x\n  - {y: true}\nc: |\n  line\n  two\n"), { a: 1, b: ["x", { y: true }], c: "line\ntwo\n" });
equal(parse("base: &b {x: 1}\nuse: *b"), { base: { x: 1 }, use: { x: 1 } });
equal(stringify({ a: [1, { b: null }], s: "yes: no" }), 'a:\n  - 1\n  - b: null\ns: "yes: no"\n');
const doc = parseDocument("# top\nkey: old # note\n");
doc.set("key", "new");
equal(doc.toString(), "# top\nkey: new # note\n");
throws(() => parse("a: [1, 2"), /Flow sequence/);
equal(parseAllDocuments("a\n---\nb\n").map((d) => d.toJS()), ["a", "b"]);
match(stringify({ t: "2024-01-01" }), /t: 2024-01-01/);
equal(parse("0x1F"), 31);
