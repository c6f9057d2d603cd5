// needs eval
import Handlebars from "handlebars";
import { equal, throws } from "../check.js";

const render = Handlebars.compile("{{#each people}}{{@index}}:{{name}}{{#if admin}}*{{/if}} {{/each}}{{{raw}}}{{esc}}");
equal(render({ people: [{ name: "Ada", admin: true }, { name: "Bob" }], raw: "<b>", esc: "<i>" }), "0:Ada* 1:Bob <b>&lt;i&gt;");
Handlebars.registerHelper("shout", (s) => s.toUpperCase());
equal(Handlebars.compile("{{shout 'hi'}}")({}), "HI");
Handlebars.registerPartial("p", "[{{x}}]");
equal(Handlebars.compile("{{> p x=1}}{{#with a}}{{> p}}{{/with}}")({ a: { x: 2 } }), "[1][2]");
throws(() => Handlebars.compile("{{#if x}}")({}), /Parse error/);
equal(Handlebars.compile("{{lookup m k}}")({ m: { q: 5 }, k: "q" }), "5");
equal(Handlebars.compile("{{__proto__.x}}{{constructor.name}}")({}), "");
