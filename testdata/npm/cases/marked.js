import { Marked, marked } from "marked";
import { equal, match } from "../check.js";

equal(marked.parse("# Hi *there*\n"), "<h1>Hi <em>there</em></h1>\n");
equal(marked.parseInline("**b** `c<d>`"), "<strong>b</strong> <code>c&lt;d&gt;</code>");
match(marked.parse("| a | b |\n|---|:-:|\n| 1 | 2 |"), /<td align="center">2<\/td>/);
match(marked.parse("- [x] done\n- [ ] open"), /<input checked="" disabled="" type="checkbox">/);
match(marked.parse("```js\nlet a;\n```"), /<code class="language-js">let a;/);
equal(marked.lexer("a\n\n---\n\nb").map((t) => t.type).filter((t) => t !== "space"), ["paragraph", "hr", "paragraph"]);
const custom = new Marked({ renderer: { heading({ text, depth }) { return `[${depth}:${text}]`; } } });
equal(custom.parse("## X"), "[2:X]");
equal(await custom.parse("a", { async: true }), "<p>a</p>\n");
