import MarkdownIt from "markdown-it";
import { equal, match } from "../check.js";

const md = new MarkdownIt({ linkify: true, typographer: true, html: false });
equal(md.render("# T\n\n1. a\n2. b"), "<h1>T</h1>\n<ol>\n<li>a</li>\n<li>b</li>\n</ol>\n");
equal(md.renderInline("see http://example.com and \"quoted\" (c)"), 'see <a href="http://example.com">http://example.com</a> and “quoted” ©');
equal(md.render("<b>no</b>"), "<p>&lt;b&gt;no&lt;/b&gt;</p>\n");
equal(md.parse("*a*", {}).length, 3);
md.renderer.rules.link_open = (tokens, i, options, env, self) => { tokens[i].attrSet("rel", "nofollow"); return self.renderToken(tokens, i, options); };
match(md.render("[x](/y)"), /<a href="\/y" rel="nofollow">x<\/a>/);
md.block.ruler.disable("heading");
equal(md.render("# T"), "<p># T</p>\n");
equal(md.utils.escapeHtml("<&>"), "&lt;&amp;&gt;");
