// JSON.parse and JSON.stringify, whose plain case is not QuickJS's own: it must
// not be told apart. https://tc39.es/ecma262/#sec-json-object
import { check, done, same, throws } from "./check.js";

for (const [name, length] of [["parse", 2], ["stringify", 3]]) {
  const d = Object.getOwnPropertyDescriptor(JSON, name);
  same([d.value.name, d.value.length, d.writable, d.enumerable, d.configurable], [name, length, true, false, true]);
  throws(() => new JSON[name]("1"), { name: "TypeError" });
}
// With a reviver that changes nothing the other parser does it.
const other = (text) => JSON.parse(text, (key, value) => value);
const kind = (value) => (Object.is(value, -0) ? "-0" : typeof value === "string" || typeof value === "number" ? value : JSON.stringify(value));

const texts = [
  "0", "-0", "-0.0", "1", "-1", "12345", "999999999", "1000000000", "2147483647", "2147483648", "-2147483648", "-2147483649", "123456789012345", "1234567890123456", "12345678901234567890", "9007199254740993",
  "0.1", "-0.5", "1.0", "3.14159", "0.1234567890123456789", "0.000001", "0.0000000000000000000000001", "1e0", "1E5", "1e+5", "1e-5", "1.5e300", "1e308", "1e309", "-1e400", "5e-324", "1e-400", "123e22", "123e23", "0e99999", "1.7976931348623157e308",
  "0.30000000000000004", "4.35", "2.2250738585072014e-308", "1e22", "1e23", "100000000000000000000000", "0.00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
  "true", "false", "null", '""', '"a"', '"é"', '"文字"', '"é文"', '"\u{1f600}"', '"\\ud83d\\ude00"', '"\\ud800"', '"\ud800"', '"\\u0000\\u00ff\\u0100"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"a\\nb\\u00e9文"', '"\u2028"', '"\x7f"',
  "[]", "[ ]", "[1]", "[1,2,3]", " [ 1 , [ 2 , [ ] ] , { } ] ", "{}", "{ }", '{"a":1}', '{"a":1,"a":2}', '{"b":1,"a":2,"1":3,"0":4}', '{"":0}', '{"__proto__":1}', '{"__proto__":{"x":1}}', '{"toString":1,"constructor":2}', '{"é":1,"文":2}', '{"a\\u0062":1,"ab":2}',
  '\t\n\r {"a" : [ null , true ] }\n', '[{"id":1,"n":"a"},{"id":2,"n":"b"},{"n":"c","id":3}]', '{"4294967294":1,"4294967295":2,"-1":3,"01":4,"a":5}', "[".repeat(90) + "]".repeat(90), "[".repeat(150) + "]".repeat(150), '{"a":'.repeat(120) + "1" + "}".repeat(120),
];
for (const text of texts) {
  for (const form of [text, `[${text},"文"]`]) { // narrow and wide
    const value = JSON.parse(form);
    const wanted = other(form);
    same([typeof value, kind(value), JSON.stringify(value)], [typeof wanted, kind(wanted), JSON.stringify(wanted)], `parse ${form.slice(0, 60)}`);
    same(Reflect.ownKeys(Object(value)), Reflect.ownKeys(Object(wanted)), `keys of ${form.slice(0, 60)}`);
  }
}
same(Object.hasOwn(JSON.parse('{"__proto__":1}'), "__proto__"), true);
same(Object.getOwnPropertyDescriptor(JSON.parse('{"a":1}'), "a"), { value: 1, writable: true, enumerable: true, configurable: true });
{
  const list = JSON.parse("[1,2]");
  list.push(3);
  same([list.length, Array.isArray(list), Object.getPrototypeOf(list) === Array.prototype], [3, true, true]);
}
for (const text of [
  "", " ", "a", "tru", "truex", "nul", "undefined", "NaN", "Infinity", "+1", "01", "-", "-a", "1.", ".1", "1e", "1e+", "0x1", "1 2", '"', '"a', '"\\', '"\\x"', '"\\u12"', '"\\u12g4"', '"\n"', '"\u0000"', "'a'", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', "{a:1}", "{1:2}",
  '{"a" 1}', '{"a":1 "b":2}', "[}", "{]", "]", "}", "\ufeff1", "\u00a01", "\u20281", "/**/1", "1//",
]) {
  const wrong = (parse) => { try { return `no error but ${parse(text)}`; } catch (error) { return `${error.name}: ${error.message}`; } };
  const said = wrong(JSON.parse);
  check(said.startsWith("SyntaxError: "), `parse ${JSON.stringify(text)}: ${said}`);
  same(said, wrong(other), `the mistake in ${JSON.stringify(text)}`);
}
same([JSON.parse({ toString: () => "[1]" }), JSON.parse(12), JSON.parse(null), JSON.parse("1", 5), JSON.parse(["2"])], [[1], 12, null, 1, 2]);
throws(() => JSON.parse(Symbol("x")), { name: "TypeError" });
throws(() => JSON.parse(), { name: "SyntaxError" });
same(JSON.parse('{"a":[1,2]}', (k, v) => (typeof v === "number" ? v + 1 : v)), { a: [2, 3] });
{
  const rope = '{"a":"' + "x".repeat(9000) + '","b":' + "1".repeat(9) + "}";
  same(JSON.parse(rope + "").b, 111111111);
}

// A replacer that changes nothing has the other one do it.
const otherwise = (value) => JSON.stringify(value, (key, v) => v);
const cycle = {};
cycle.self = [cycle];
class Point { constructor() { this.x = 1; } }
class WithJSON { toJSON(key) { return `json ${key}`; } }
const getter = { get a() { return 7; }, b: 1 };
const hidden = Object.defineProperty({ a: 1 }, "b", { value: 2, enumerable: false });
const removed = { a: 1, b: 2, c: 3 };
delete removed.b;
const holes = [1, , 3];
const extra = Object.assign([1, 2], { x: 1 });
const withLength = new Array(3);
const joined = "a".repeat(5000) + "é" + "\n".repeat(3000) + "\u{1f600}";
const values = [
  undefined, null, true, false, 0, -0, 1, -1, 1.5, 1e21, 1e-7, 123456789012, -2147483648, NaN, Infinity, -Infinity, 0.1 + 0.2, 5e-324, "", "a", "é", "文", "\"\\\b\f\n\r\t\v\0\x1f\x7f\u2028", "\ud800", "\udc00\ud800", "\u{1f600}", "a\ud83d", joined,
  [], [[]], {}, [undefined, () => 1, Symbol("x"), null], { a: undefined, b: () => 1, c: Symbol("x"), d: null, [Symbol("y")]: 1 }, { b: 1, a: 2 }, { 2: "c", 1: "b", a: "d" }, { a: 1, 0: 2 }, { "01": 1, "-1": 2, "1e3": 3 }, { "é\"": 1, "文": 2 },
  new Point(), new WithJSON(), { a: new WithJSON(), b: [new WithJSON()] }, getter, hidden, removed, holes, extra, withLength, new Date(0), { at: new Date(1e12) }, new Map([[1, 2]]), new Set([1]), /x/g, new Error("e"), Object("s"), Object(1), Object(false), Object.create(null, { a: { value: 1, enumerable: true } }),
  Object.create({ inherited: 1 }, { own: { value: 1, enumerable: true } }), new Uint8Array([1, 2]), new ArrayBuffer(2), (function () { return arguments; })(1, 2), function f() {}, Symbol("x"), new Proxy({ a: 1, b: [2] }, {}), new Proxy([1, 2], {}), globalThis.JSON, Math, { toJSON: 5, a: 1 }, { toJSON: () => "own" },
  Object.assign(() => 1, { toJSON: () => "function" }), { f: Object.assign(() => 1, { toJSON: () => "function" }) }, JSON.rawJSON?.("1"), [JSON.rawJSON?.("123")], Array.from({ length: 300 }, (_, i) => ({ i, s: `s${i}` })),
];
for (const value of values) {
  same(JSON.stringify(value), otherwise(value), `stringify ${typeof value === "symbol" ? "symbol" : Object.prototype.toString.call(value)}`);
  same(JSON.stringify({ value }), otherwise({ value }));
  same(JSON.stringify([value, 1]), otherwise([value, 1]));
}
{
  let deep = 1;
  for (let i = 0; i < 400; i++) deep = i % 2 ? [deep] : { deep };
  same(JSON.stringify(deep), otherwise(deep), "deep");
  const shared = { x: [1] };
  same(JSON.stringify([shared, shared, shared.x]), '[{"x":[1]},{"x":[1]},[1]]');
}
throws(() => JSON.stringify(cycle), { name: "TypeError" });
throws(() => JSON.stringify({ a: 1n }), { name: "TypeError" });
same(JSON.stringify({ a: [1, { b: 2 }] }, null, 2), '{\n  "a": [\n    1,\n    {\n      "b": 2\n    }\n  ]\n}');
same(JSON.stringify({ a: 1, b: 2, c: { a: 3 } }, ["a", "c"]), '{"a":1,"c":{"a":3}}');
same(JSON.stringify([1], null, ""), "[1]");
same([JSON.stringify(), JSON.stringify(undefined), JSON.stringify({ a: 1 }, undefined, undefined)], [undefined, undefined, '{"a":1}']);
same(["log", JSON.stringify({ order: ["b", "a"] })], ["log", '{"order":["b","a"]}']);

// toJSON anywhere on the way is found.
for (const proto of [Object.prototype, Array.prototype]) {
  Object.defineProperty(proto, "toJSON", { value() { return "patched"; }, configurable: true });
  same(JSON.stringify([1, { a: 2 }]), '"patched"', "a prototype's toJSON");
  delete proto.toJSON;
}
BigInt.prototype.toJSON = function () { return `${this}n`; };
same(JSON.stringify({ a: 5n, b: [6n] }), '{"a":"5n","b":["6n"]}');
delete BigInt.prototype.toJSON;
same(JSON.stringify([1, { a: 2 }]), '[1,{"a":2}]');
done();
