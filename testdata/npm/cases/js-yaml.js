import * as yaml from "js-yaml";
import { equal, throws } from "../check.js";

equal(yaml.load("a: 1\nb: [x, ~, 1.5]\nd: >\n  folded\n  text\n"), { a: 1, b: ["x", null, 1.5], d: "folded text\n" });
equal(yaml.dump({ a: [1, "two"], b: { c: true } }), "a:\n  - 1\n  - two\nb:\n  c: true\n");
const docs = [];
docs.push(...yaml.loadAll("a\n---\nb"));
equal(docs, ["a", "b"]);
throws(() => yaml.load("a: b: c"), /YAMLException/);
equal(yaml.load(yaml.dump({ multi: "a\nb\n", n: null, e: "" })), { multi: "a\nb\n", n: null, e: "" });
equal(yaml.load("- &x {k: v}\n- *x"), [{ k: "v" }, { k: "v" }]);
