import qs from "qs";
import { equal } from "../check.js";

equal(qs.parse("a[b][c]=1&a[d][]=x&a[d][]=y"), { a: { b: { c: "1" }, d: ["x", "y"] } });
equal(qs.stringify({ a: { b: [1, 2] }, c: "ä &" }), "a%5Bb%5D%5B0%5D=1&a%5Bb%5D%5B1%5D=2&c=%C3%A4%20%26");
equal(qs.stringify({ a: [1, 2] }, { arrayFormat: "brackets", encode: false }), "a[]=1&a[]=2");
equal(qs.parse("?x=1;y=2", { ignoreQueryPrefix: true, delimiter: ";" }), { x: "1", y: "2" });
equal(qs.parse("a.b=1", { allowDots: true }), { a: { b: "1" } });
equal(qs.stringify({ n: null, u: undefined }, { skipNulls: true }), "");
equal(Object.keys(qs.parse("__proto__[x]=1")), []);
