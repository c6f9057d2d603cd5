import assert, { AssertionError } from "node:assert";
import strict from "node:assert/strict";

function show(name, f) {
  try {
    f();
    console.log(name, "passed");
  } catch (error) {
    console.log(name, error.name, error.code, error.operator, error.generatedMessage, `\n${error.message}`);
  }
}
show("strictEqual", () => assert.strictEqual(1, 2));
show("strictEqual strings", () => assert.strictEqual("a", "b"));
show("strictEqual message", () => assert.strictEqual(1, 2, "own"));
show("deepStrictEqual message", () => assert.deepStrictEqual({ a: 1 }, { a: 2 }, "own"));
show("deepStrictEqual", () => assert.deepStrictEqual({ a: 1, b: [1, 2], c: "x" }, { a: 1, b: [1, 3], c: "x" }));
show("strictEqual long", () => assert.strictEqual("a\nb", "c"));
show("same structure", () => assert.strictEqual({ a: 1 }, { a: 1 }));
show("throws object message", () => assert.throws(() => { throw new Error("x"); }, { message: "y" }, "own"));
show("equal", () => assert.equal(1, "1"));
show("equal fails", () => assert.equal(1, 2));
show("notEqual", () => assert.notEqual(1, "1"));
show("deepEqual loose", () => assert.deepEqual({ a: 1 }, { a: "1" }));
show("deepEqual fails", () => assert.deepEqual({ a: 1 }, { a: 2 }));
show("deepStrictEqual type", () => assert.deepStrictEqual({ a: 1 }, { a: 1 }));
show("deepStrictEqual maps", () => assert.deepStrictEqual(new Map([[{ a: 1 }, new Set([1])]]), new Map([[{ a: 1 }, new Set([1])]])));
show("deepStrictEqual NaN", () => assert.deepStrictEqual([NaN, -0], [NaN, -0]));
show("deepStrictEqual zero", () => { try { assert.deepStrictEqual(0, -0); } catch { throw new AssertionError({ message: "zero" }); } });
show("notStrictEqual", () => assert.notStrictEqual(1, 1));
show("notDeepStrictEqual", () => assert.notDeepStrictEqual({ a: 1 }, { a: 1 }));
show("ok", () => assert.ok(0, "zero"));
show("assert", () => assert(true));
show("fail", () => assert.fail("boom"));
show("fail nothing", () => assert.fail());
show("throws", () => assert.throws(() => { throw new TypeError("x"); }, TypeError));
show("throws pattern", () => assert.throws(() => { throw new Error("hello"); }, /hell/));
show("throws object", () => assert.throws(() => { throw Object.assign(new Error("m"), { code: 1 }); }, { message: "m", code: 1 }));
show("throws nothing", () => assert.throws(() => {}));
show("throws nothing of class", () => assert.throws(() => {}, TypeError));
show("throws other pattern", () => assert.throws(() => { throw new Error("hello"); }, /bye/));
show("throws validator", () => assert.throws(() => { throw new Error("v"); }, (e) => e.message === "v"));
show("throws wrong class", () => assert.throws(() => { throw new Error("not a type error"); }, TypeError));
show("doesNotThrow", () => assert.doesNotThrow(() => { throw new Error("oops"); }));
show("match", () => assert.match("abc", /x/));
show("doesNotMatch", () => assert.doesNotMatch("abc", /b/));
show("ifError", () => assert.ifError(new Error("if")));
show("ifError null", () => assert.ifError(null));
show("own error", () => assert.strictEqual(1, 2, new RangeError("mine")));
show("strict", () => strict.equal(1, "1"));
show("missing", () => assert.strictEqual(1));
console.log(await assert.rejects(Promise.reject(new Error("r")), /r/).then(() => "rejected"));
console.log(await assert.rejects(async () => {}).catch((e) => e.message));
console.log(await assert.doesNotReject(async () => 1).then(() => "fine"));
console.log(assert.strict === strict.strict, new AssertionError({ actual: 1, expected: 2, operator: "strictEqual" }).message);
