import xml2js from "xml2js";
import { equal, match, rejects } from "../check.js";

equal(await xml2js.parseStringPromise('<r a="1"><i>x</i><i>y</i></r>'), { r: { $: { a: "1" }, i: ["x", "y"] } });
equal(await xml2js.parseStringPromise("<r><n>5</n></r>", { explicitArray: false, valueProcessors: [xml2js.processors.parseNumbers] }), { r: { n: 5 } });
await rejects(xml2js.parseStringPromise("<r><x></r>"), /Unexpected close tag/);
match(new xml2js.Builder().buildObject({ r: { $: { id: 1 }, i: ["a", "<b>"] } }), /<r id="1">\s+<i>a<\/i>\s+<i>&lt;b&gt;<\/i>\s+<\/r>/);
equal(await new Promise((resolve, reject) => xml2js.parseString("<a>t</a>", (e, v) => (e ? reject(e) : resolve(v)))), { a: "t" });
