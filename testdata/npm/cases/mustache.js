import Mustache from "mustache";
import { equal, throws } from "../check.js";

equal(Mustache.render("{{a}} {{{b}}} {{&b}} {{b}}", { a: 1, b: "<x>" }), "1 <x> <x> &lt;x&gt;");
equal(Mustache.render("{{#l}}{{.}},{{/l}}{{^e}}none{{/e}}", { l: [1, 2], e: [] }), "1,2,none");
equal(Mustache.render("{{#o}}{{x}}{{y.z}}{{/o}}", { o: { x: 1, y: { z: 2 } } }), "12");
equal(Mustache.render("{{> p}}", { n: "N" }, { p: "<{{n}}>" }), "<N>");
equal(Mustache.render("{{#bold}}hi {{n}}{{/bold}}", { n: 1, bold: () => (text, render) => `<b>${render(text)}</b>` }), "<b>hi 1</b>");
equal(Mustache.render("{{=<% %>=}}<% x %>{{x}}", { x: 1 }), "1{{x}}");
throws(() => Mustache.render("{{#a}}"), /Unclosed section "a"/);
