// needs eval
import * as d3 from "d3";
import { equal, match } from "../check.js";

equal(d3.extent([3, 1, 2]), [1, 3]);
equal(new Map(d3.rollup([{ k: "a", v: 1 }, { k: "b", v: 2 }, { k: "a", v: 3 }], (v) => d3.sum(v, (d) => d.v), (d) => d.k)), new Map([["a", 4], ["b", 2]]));
const x = d3.scaleLinear([0, 10], [0, 100]).nice();
equal([x(2.5), x.invert(50), x.ticks(3)], [25, 5, [0, 5, 10]]);
equal(d3.line()([[0, 0], [1, 2], [3, 4]]), "M0,0L1,2L3,4");
match(d3.arc()({ innerRadius: 0, outerRadius: 1, startAngle: 0, endAngle: Math.PI }), /^M0,-1A1,1,0,1,1,0,1L0,0Z$/);
equal(d3.format(",.2f")(1234.567), "1,234.57");
equal(d3.utcFormat("%Y-%m-%d")(new Date(0)), "1970-01-01");
equal(d3.interpolateRgb("red", "blue")(0.5), "rgb(128, 0, 128)");
equal(d3.hierarchy({ children: [{}, { children: [{}] }] }).height, 2);
equal(d3.csvParse("a,b\n1,2", d3.autoType).slice(), [{ a: 1, b: 2 }]);
const path = d3.geoPath(d3.geoEquirectangular())({ type: "Point", coordinates: [0, 0] });
match(path, /^M480,250m0,4.5a/);
equal(d3.bin()([1, 2, 2, 9]).map((b) => b.length).reduce((a, b) => a + b), 4);
