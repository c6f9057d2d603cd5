import sanitizeHtml from "sanitize-html";
import { equal } from "../check.js";

equal(sanitizeHtml('<p onclick="x()">a<script>alert(1)</script><b>b</b></p>'), "<p>a<b>b</b></p>");
equal(sanitizeHtml('<a href="javascript:alert(1)" title="t">x</a>'), "<a>x</a>");
equal(sanitizeHtml('<img src="x" onerror="y">', { allowedTags: ["img"], allowedAttributes: { img: ["src"] } }), '<img src="x" />');
equal(sanitizeHtml("<i>a</i><u>b</u>", { allowedTags: ["em"], transformTags: { i: "em" } }), "<em>a</em>b");
equal(sanitizeHtml("<p style='color:red;position:fixed'>x</p>", { allowedAttributes: { p: ["style"] }, allowedStyles: { p: { color: [/^red$/] } } }), '<p style="color:red">x</p>');
equal(sanitizeHtml("a < b & c", { allowedTags: [] }), "a &lt; b &amp; c");
