import TurndownService from "turndown";
import { equal } from "../check.js";

const service = new TurndownService({ headingStyle: "atx", codeBlockStyle: "fenced" });
equal(service.turndown("<h1>Hi</h1><p>a <b>b</b> <em>c</em> <a href='/x'>d</a></p>"), "# Hi\n\na **b** _c_ [d](/x)");
equal(service.turndown("<ul><li>one</li><li>two</li></ul>"), "*   one\n*   two");
equal(service.turndown("<pre><code class='language-js'>let a;\n</code></pre>"), "```js\nlet a;\n```");
service.addRule("strike", { filter: ["del"], replacement: (content) => `~~${content}~~` });
equal(service.turndown("<del>x</del>"), "~~x~~");
equal(service.escape("1. *a*"), "1\\. \\*a\\*");
