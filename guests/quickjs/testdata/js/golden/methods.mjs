// The methods of console: groups, counts, tables, assertions. Standard output
// and standard error are compared apart.
console.log("log");
console.info("info %s", 1);
console.debug("debug", { a: 1 });
console.warn("warn", [1]);
console.error("error %d", 2, "more");

console.group("Group", { g: 1 });
console.log("inside");
console.warn("inside warn");
console.group();
console.log("two\nlines");
console.log({ a: { b: 1 }, long: "x".repeat(70), list: [1, 2, 3] });
console.groupEnd();
console.groupCollapsed("collapsed");
console.table([[1]]);
console.groupEnd();
console.groupEnd();
console.groupEnd();
console.log("outside");

console.count();
console.count();
console.count("named");
console.count("default");
console.countReset();
console.count();
console.count(undefined);
console.count(null);

console.assert(true, "never");
console.assert(false);
console.assert(false, "with %s", "text", { a: 1 });
console.assert(0, { b: 1 }, 2);
console.assert();

console.table([{ a: 1, b: "x" }, { a: 2, c: true }]);
console.table([[1, 2], [3, 4, 5]]);
console.table([1, "two", [3], { four: 4 }, null, undefined]);
console.table({ row1: { x: 1 }, row2: { y: [1, 2] } });
console.table([{ name: "Alice", age: 30 }, { name: "Bob", age: 4 }], ["name"]);
console.table([{ a: 1 }], ["a", "missing"]);
console.table([{ a: 1 }], []);
console.table(new Map([["k", { v: 1 }], [2, "b"]]));
console.table(new Set([1, { a: 2 }]));
console.table(new Map([["a", 1]]).entries());
console.table(new Map([["a", 1]]).keys());
console.table(new Set(["q"]).values());
console.table([]);
console.table({});
console.table("text");
console.table(5);
console.table(null);
console.table(undefined);
console.table([{ wide: "日本語", n: 1 }, { wide: "a", n: 22 }]);
console.table([{ nested: { a: 1, b: 2, c: 3 }, list: [1, 2, 3, 4] }]);
console.table([new Date(0)]);
console.table([() => {}, function f() {}]);

const { log } = console;
log("detached");
console.log.call(undefined, "unbound");
console.log(Object.prototype.toString.call(console), Object.keys(console).includes("log"), console.log.name, console.info.name);

console.dir("x");
console.dir(Symbol("d"));
console.clear();
console.log("end");
