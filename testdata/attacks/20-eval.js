/*---
rows = [20]
attack = "code from strings, by every way there is"
value = '[]'
---*/
const worked = [];
const attempts = { eval: () => eval("1"), indirect: () => (0, eval)("1"), Function: () => Function("return 1")(), newFunction: () => new Function("return 1")(), constructor: () => (() => {}).constructor("return 1")(), async: () => (async () => {}).constructor("return 1")(), generator: () => (function* () {}).constructor("yield 1")(), asyncGenerator: () => (async function* () {}).constructor("yield 1")(), timer: () => { setTimeout("globalThis.x = 1", 0); throw 0; }, reflect: () => Reflect.construct(Function, ["return 1"])(), bound: () => Function.bind(null, "return 1")()(), proxy: () => new Proxy(Function, {})("return 1")(), getter: () => Object.getPrototypeOf(function () {}).constructor("return 1")() };
for (const [name, f] of Object.entries(attempts)) { try { f(); worked.push(name); } catch (e) { if (e !== 0 && !/EvalError|TypeError/.test(e.name)) worked.push(name + " " + e.name); } }
await new Promise((r) => setTimeout(r, 10));
if (globalThis.x) worked.push("timer ran");
worked;
