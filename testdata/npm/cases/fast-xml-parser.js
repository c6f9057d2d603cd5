import { XMLBuilder, XMLParser, XMLValidator } from "fast-xml-parser";
import { equal } from "../check.js";

const parser = new XMLParser({ ignoreAttributes: false });
equal(parser.parse('<r><i id="1">a</i><i id="2">b &lt; c</i></r>'), { r: { i: [{ "#text": "a", "@_id": "1" }, { "#text": "b < c", "@_id": "2" }] } });
equal(new XMLParser().parse("<a><n>1.50</n><b>true</b><s><![CDATA[<x>]]></s></a>"), { a: { n: 1.5, b: true, s: "<x>" } });
equal(XMLValidator.validate("<a><b></a>").err.code, "InvalidTag");
equal(XMLValidator.validate("<a/>"), true);
equal(new XMLBuilder({ ignoreAttributes: false, format: true }).build({ r: { "@_v": 1, i: ["a", "b&"] } }), '<r v="1">\n  <i>a</i>\n  <i>b&amp;</i>\n</r>\n');
equal(new XMLParser({ preserveOrder: true }).parse("<a>x<b/>y</a>")[0].a.length, 3);
