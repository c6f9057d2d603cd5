import * as cheerio from "cheerio";
import { equal } from "../check.js";

const $ = cheerio.load(`<ul id="fruits"><li class="apple">Apple</li><li class="orange">Orange &amp; co</li><li>Pear</ul><p>x`);
equal($("#fruits li").length, 3);
equal($("li.orange").text(), "Orange & co");
equal($("li").map((i, e) => $(e).text()[0]).get(), ["A", "O", "P"]);
equal($("li:nth-child(2)").attr("class"), "orange");
$("li.apple").addClass("red").attr("data-n", "1").after("<li>Plum</li>");
equal($.html("#fruits"), '<ul id="fruits"><li class="apple red" data-n="1">Apple</li><li>Plum</li><li class="orange">Orange &amp; co</li><li>Pear</li></ul>');
equal($("li").not(".red").first().text(), "Plum");
equal($("p").parent()[0].name, "body");
const table = cheerio.load("<table><tr><td>1<td>2<tr><td>3<td>4</table>");
equal(table("tr").toArray().map((r) => table(r).find("td").toArray().map((c) => +table(c).text())), [[1, 2], [3, 4]]);
equal(cheerio.load("<a><b/></a>", { xml: true }).xml(), "<a><b/></a>");
equal($.extract({ fruits: ["li"] }).fruits.length, 4);
