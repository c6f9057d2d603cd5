import { enableMapSet, enablePatches, produce, produceWithPatches, applyPatches, current, original } from "immer";
import { equal, ok, throws } from "../check.js";

enableMapSet();
enablePatches();
const base = { a: { b: [1, 2] }, m: new Map([["k", { v: 1 }]]), other: { x: 1 } };
const next = produce(base, (d) => { d.a.b.push(3); d.m.get("k").v = 2; });
equal(next.a.b, [1, 2, 3]);
equal([base.a.b.length, base.m.get("k").v, next.m.get("k").v], [2, 1, 2]);
ok(next.other === base.other, "what did not change is shared");
throws(() => { "use strict"; next.a.b.push(4); }, /TypeError/);
const [result, patches, inverse] = produceWithPatches({ n: 1, l: [1] }, (d) => { d.n = 2; d.l.push(5); });
equal(applyPatches({ n: 1, l: [1] }, patches), result);
equal(applyPatches(result, inverse), { n: 1, l: [1] });
produce(base, (d) => { d.other.x = 9; equal([current(d).other.x, original(d).other.x], [9, 1]); });
