import minimist from "minimist";
import { equal } from "../check.js";

equal(minimist(["-x", "3", "--name=Ada", "--no-color", "file", "--", "-z"]), { _: ["file", "-z"], x: 3, name: "Ada", color: false });
equal(minimist(["-abc", "v"], { boolean: ["a", "b"] }), { _: [], a: true, b: true, c: "v" });
equal(minimist(["--id", "007"], { string: "id", alias: { id: "i" }, default: { n: 1 } }), { _: [], id: "007", i: "007", n: 1 });
equal(minimist(["--a.b.c", "1"]).a, { b: { c: 1 } });
