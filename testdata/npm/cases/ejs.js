// needs eval
import ejs from "ejs";
import { equal, match, throws } from "../check.js";

equal(ejs.render("<% for (const n of list) { %><%= n %>,<% } %><%- raw %><%= raw %>", { list: [1, 2], raw: "<b>" }), "1,2,<b>&lt;b&gt;");
equal(ejs.compile("Hi <%= name -%>\n!", {})({ name: "Ada" }), "Hi Ada!");
equal(ejs.render("[?= x ?]", { x: 1 }, { openDelimiter: "[", closeDelimiter: "]", delimiter: "?" }), "1");
equal(await ejs.render("<%= await p %>", { p: Promise.resolve(3) }, { async: true }), "3");
throws(() => ejs.render("\n<%= nope %>", {}), /nope is not defined|'nope' is not defined/);
match(ejs.compile("<%= a %>", { client: true }).toString(), /function/);
equal(ejs.render("<%# comment %><%% literal", {}), "<% literal");
