// HTMLRewriter. Every rewriting is done with the source in one piece, and cut
// into pieces of one, two, three and seven bytes: the result must be the same.
import { check, done, rejects, same, throws } from "./check.js";

const encoder = new TextEncoder();

function cut(bytes, size) {
  let at = 0;
  return new ReadableStream({
    pull(c) {
      if (at >= bytes.length) c.close();
      else c.enqueue(bytes.slice(at, at += size));
    },
  });
}

const bytesOf = (source) => (typeof source === "string" ? encoder.encode(source) : source);

async function output(rewriter, source, size) {
  const bytes = bytesOf(source);
  return rewriter.transform(new Response(size === undefined ? bytes : cut(bytes, size))).bytes();
}

// rewrites checks what comes of a source, however it is cut.
async function rewrites(build, source, wanted, what = source) {
  for (const size of [undefined, 1, 2, 3, 7]) {
    same(new TextDecoder().decode(await output(build(new HTMLRewriter()), source, size)), wanted, `${what} in pieces of ${size}`);
  }
}

const on = (selector, element) => (r) => r.on(selector, { element });

// ---- what is not touched stays as it is

const documents = [
  "", "text", "a < b > c & d &amp; e", "<", "</", "<!", "<a", "<a b", "<a b=", "<a b='", "</a", "<!-", "<!--", "<!-- x", "<!doctype", "<?php", "</>", "<>", "< a>", "<3", "</3>", "</ a>", "</<a>", "<<a>",
  "<A HREF = 'x>y'  c=\"<>\" d=e/ f=/>t</A  x=y >", "<br/><BR /><img src=a>", "<p><p></b></p></p></p>", "<a=b =c d==e \"f'g>", "<a/b/c/>",
  "<!DOCTYPE html PUBLIC \"x>y\"><!-- a -- b --!><!--><!---><!x><?x?><![CDATA[ <a> ]]>", "<svg><![CDATA[ <a> ]]><path/><foreignObject><p/></foreignObject></svg>",
  "<script>if (a<b && '</div>') </ script></scriptx></SCRIPT\t><style></p><!--</STYLE><textarea><b></textarea><title><i></title>",
  "<script><!-- <script> </script> --></script><p>", "<script><!--></script><p>", "<script><!-- <script></script></script><p>", "<plaintext></plaintext><b>", "<iframe><a></iframe><xmp><b></xmp><noembed><",
  "\u00e9\u20ac\u{1f600}<\u00e9><e\u00e9 \u20ac='\u{1f600}'>", new Uint8Array([0xff, 0x3c, 0x61, 0x20, 0x80, 0x3d, 0xc3, 0x3e, 0xe2, 0x82, 0x3c, 0x2f, 0x61, 0x3e, 0xf0, 0x9f, 0x00, 0x0d, 0x0a]),
];
const idle = () => new HTMLRewriter()
  .on("*", { element() {}, comments() {}, text() {} })
  .on("p > b", { element() {} })
  .onDocument({ doctype() {}, comments() {}, text() {}, end() {} });
for (const source of documents) {
  const bytes = bytesOf(source);
  for (const size of [undefined, 1, 2, 3, 5]) {
    same([...(await output(idle(), bytes, size))], [...bytes], `untouched ${source} in pieces of ${size}`);
    same([...(await output(new HTMLRewriter(), bytes, size))], [...bytes], `without handlers ${source}`);
  }
}

// The same of random soup.
let seed = 1;
const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
const parts = ["<", ">", "</", "/>", "<!--", "-->", "--!>", "<script", "</script", "<b", "</b>", "<p>", "</p>", "<svg>", "</svg>", "<![CDATA[", "]]>", "<!doctype ", "=", "'", '"', " ", "x", "\u00e9", "\n", "<title>", "</title>", "&", "<br>", "?"];
for (let i = 0; i < 150; i++) {
  let source = "";
  for (let j = random(25); j >= 0; j--) source += parts[random(parts.length)];
  const seen = [];
  for (const size of [undefined, 1, 3]) {
    const log = [];
    let text = "";
    const r = new HTMLRewriter().on("*", {
      element(e) { log.push(e.tagName, ...[...e.attributes].flat()); try { e.onEndTag((t) => { log.push(`/${t.name}`); }); } catch {} },
      comments(c) { log.push(`!${c.text}`); },
    }).onDocument({ text(t) { text += t.text; if (t.lastInTextNode) { log.push(`'${text}`); text = ""; } } });
    same(new TextDecoder().decode(await output(r, source, size)), source, `soup ${JSON.stringify(source)}`);
    seen.push(log.join("|"));
  }
  same(seen[1], seen[0], `tokens of ${JSON.stringify(source)} in pieces of 1`);
  same(seen[2], seen[0], `tokens of ${JSON.stringify(source)} in pieces of 3`);
}

// ---- elements

for (const [what, f, wanted] of [
  ["before", (e) => e.before("1").before("<2>"), "1&lt;2&gt;<a>x<b>y</b></a>z"],
  ["before html", (e) => e.before("<i>", { html: true }), "<i><a>x<b>y</b></a>z"],
  ["after", (e) => e.after("1").after("2"), "<a>x<b>y</b></a>21z"],
  ["prepend", (e) => e.prepend("1").prepend("2"), "<a>21x<b>y</b></a>z"],
  ["append", (e) => e.append("1").append("2"), "<a>x<b>y</b>12</a>z"],
  ["setInnerContent", (e) => e.append("0").setInnerContent("<1>"), "<a>&lt;1&gt;</a>z"],
  ["setInnerContent twice", (e) => e.setInnerContent("1").setInnerContent("2").append("3").prepend("0"), "<a>023</a>z"],
  ["replace", (e) => e.replace("1").replace("<2>", { html: true }).before("b").after("a"), "b<2>az"],
  ["remove", (e) => e.before("b").after("a").remove(), "baz"],
  ["removeAndKeepContent", (e) => e.before("b").prepend("p").append("q").after("a").removeAndKeepContent(), "bpx<b>y</b>qaz"],
  ["tagName", (e) => { e.tagName = "section"; }, "<section>x<b>y</b></section>z"],
  ["all", (e) => { e.before("1").prepend("2").append("3").after("4"); e.setAttribute("k", 'v"&'); }, "1<a k=\"v&quot;&\">2x<b>y</b>3</a>4z"],
  ["nothing", () => {}, "<a>x<b>y</b></a>z"],
  ["onEndTag", (e) => e.onEndTag((t) => { t.before("1").before("2").after("3").after("4"); }), "<a>x<b>y</b>12</a>43z"],
  ["onEndTag name", (e) => e.onEndTag((t) => { same(t.name, "a"); t.name = "c"; }), "<a>x<b>y</b></c>z"],
  ["onEndTag remove", (e) => e.onEndTag(async (t) => { await null; t.remove(); }), "<a>x<b>y</b>z"],
  ["two onEndTag", (e) => { e.append("0"); e.onEndTag((t) => { t.before("1"); }); e.onEndTag((t) => { t.before("2"); }); }, "<a>x<b>y</b>012</a>z"],
  ["later", async (e) => { await new Promise((r) => setTimeout(r, 1)); e.before("1"); }, "1<a>x<b>y</b></a>z"],
]) await rewrites(on("a", f), "<a>x<b>y</b></a>z", wanted, what);

// Void elements have no content, and no end tag.
await rewrites(on("br", (e) => { e.before("1").prepend("2").append("3").after("4").setInnerContent("5"); throws(() => e.onEndTag(() => {}), { name: "TypeError" }); }), "<br>x", "1<br>4x");
await rewrites(on("img", (e) => e.replace("R").after("A")), "<img src=x />y", "RAy");
await rewrites(on("path", (e) => { e.setAttribute("d", "M"); e.after("!"); }), "<svg><path/><path></path></svg>", '<svg><path d="M" />!<path d="M"></path>!</svg>');
// An element without its end tag ends where one around it does.
await rewrites(on("b", (e) => e.remove()), "<p>1<b>2<i>3</p>4", "<p>1</p>4");
await rewrites(on("b", (e) => e.remove()), "1<b>2", "1");
await rewrites(on("b", (e) => e.remove()), "1<b>2<b>3</b>4</b>5", "15");
await rewrites((r) => r.on("i", { element(e) { e.before("!"); } }).on("b", { element(e) { e.setInnerContent("I"); } }), "<b><i>x</i></b><i></i>", "<b>I</b>!<i></i>");
// The document's end comes out, whatever is removed.
await rewrites((r) => r.on("b", { element(e) { e.remove(); } }).onDocument({ end(e) { e.append("<end>", { html: true }).append("."); } }), "1<b>2", "1<end>.");

// Attributes.
await rewrites(on("a", (e) => {
  same([...e.attributes], [["href", "x"], ["b", ""], ["c", "1 > 2"], ["d", "\u00e9/"]]);
  same([e.getAttribute("HREF"), e.getAttribute("b"), e.getAttribute("none"), e.hasAttribute("C"), e.hasAttribute("x")], ["x", "", null, true, false]);
  e.removeAttribute("B").setAttribute("C", "3").setAttribute("n", "\u20ac");
  same([e.getAttribute("b"), e.getAttribute("c"), e.getAttribute("n"), e.namespaceURI, e.removed], [null, "3", "\u20ac", "http://www.w3.org/1999/xhtml", false]);
}), "<A  HREF=x b c='1 > 2' D=\u00e9/>t</a>", "<A HREF=x c=\"3\" D=\u00e9/ n=\"\u20ac\">t</a>");
await rewrites(on("a", (e) => { e.removeAttribute("none"); }), "<a  b  = c >", "<a  b  = c >", "removing what is not there");
await rewrites(on("a", (e) => {
  for (const name of ["", "a b", "a>", "a/", "a=", "a\n"]) throws(() => e.setAttribute(name, "x"), { name: "TypeError" }, `setAttribute(${name})`);
  for (const name of ["", "1a", "a b", "a>", "/"]) throws(() => { e.tagName = name; }, { name: "TypeError" }, `tagName = ${name}`);
}), "<a>", "<a>");

// ---- text and comments

const texts = [];
await rewrites((r) => r.on("p", { text(t) { texts.push([t.text, t.lastInTextNode]); } }), "<p>one<b>two</b></p>three", "<p>one<b>two</b></p>three");
same(texts.slice(0, 4), [["one", false], ["", true], ["two", false], ["", true]]);
await rewrites((r) => r.on("p", { text(t) { if (t.lastInTextNode) t.after("<"); else if (t.text.trim()) t.remove(); } }), "<p>ab</p>c", "<p>&lt;</p>c");
await rewrites((r) => { let all = ""; return r.on("p", { text(t) { all += t.text; if (t.lastInTextNode) { t.replace(all.toUpperCase()); all = ""; } else t.remove(); } }); }, "<p>h\u00e9llo \u{1f600}</p><p>x &lt;</p>", "<p>H\u00c9LLO \u{1f600}</p><p>X &amp;LT;</p>");
await rewrites((r) => r.on("p", { comments(c) { c.text = c.text.trim(); c.before("1").after("2"); throws(() => { c.text = "a-->"; }, { name: "TypeError" }); } }), "<p><!-- x --></p><!-- y -->", "<p>1<!--x-->2</p><!-- y -->");
await rewrites((r) => r.onDocument({ comments(c) { if (c.text === "x") c.remove(); else c.replace("<>", { html: true }); } }), "<!--x--><!--y--><?z><!w>", "<><><>");
await rewrites((r) => r.on("script", { text(t) { if (t.lastInTextNode) t.before("!"); } }), "<script>a<b></b></script>", "<script>a<b></b>!</script>");
for (const [source, wanted] of [
  ["<!doctype html>", ["html", null, null]], ["<!DOCTYPE HTML PUBLIC '-//W3C//DTD' \"http://x\">", ["html", "-//W3C//DTD", "http://x"]], ["<!doctype html SYSTEM 'about:legacy-compat'>", ["html", null, "about:legacy-compat"]], ["<!doctype>", [null, null, null]],
]) {
  const got = [];
  await rewrites((r) => r.onDocument({ doctype(d) { got.push([d.name, d.publicId, d.systemId]); } }), source, source);
  same(got, Array(5).fill(wanted), source);
}

// Handlers run in the order in which they were given, of the document first.
const order = [];
const handlers = { name: "h", element() { order.push(this.name); }, text(t) { if (!t.lastInTextNode) order.push("text"); } };
await new HTMLRewriter().on("b", handlers).on("*", { element() { order.push("*"); } }).on("a b, b", { element() { order.push("list"); } })
  .onDocument({ text(t) { if (!t.lastInTextNode) order.push("document"); } }).transform(new Response("<a><b>x</b></a>")).text();
same(order, ["*", "h", "*", "list", "document", "text"]);

// ---- selectors

const tree = '<html lang=en-US><body class="a b"><div id=x><p class=b>1</p><span>2</span><p data-k="v w">3<b>4</b></p><p TYPE=Text>5</p></div><div><p></p></div></body></html>';
async function selects(selector, wanted) {
  for (const size of [undefined, 3]) {
    const got = [];
    let n = -1;
    await output(new HTMLRewriter().on("*", { element() { n++; } }).on(selector, { element() { got.push(n); } }), tree, size);
    same(got, wanted, selector);
  }
}
// 0 html 1 body 2 div#x 3 p.b 4 span 5 p[data-k] 6 b 7 p[type] 8 div 9 p
await selects("*", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
await selects("p", [3, 5, 7, 9]);
await selects("P", [3, 5, 7, 9]);
await selects(".b", [1, 3]);
await selects(".a.b", [1]);
await selects(".B", []);
await selects("#x", [2]);
await selects("div#x > p.b", [3]);
await selects("body p b", [6]);
await selects("body > p", []);
await selects("html body > div   p", [3, 5, 7, 9]);
await selects("div > p > b, span", [4, 6]);
await selects("[data-k]", [5]);
await selects("[ data-k = 'v w' ]", [5]);
await selects('[data-k="V W" i]', [5]);
await selects('[data-k="V W" s]', []);
await selects("[type=text]", [7]);
await selects("[type=text s]", []);
await selects("[data-k~=w]", [5]);
await selects("[data-k~='v w']", []);
await selects("[data-k^=v]", [5]);
await selects("[data-k$=w]", [5]);
await selects("[data-k*=' ']", [5]);
await selects("[data-k*='']", []);
await selects("[lang|=en]", [0]);
await selects("[lang|=e]", []);
await selects("p:nth-child(1)", [3, 9]);
await selects("p:first-child", [3, 9]);
await selects("p:nth-child(odd)", [3, 5, 9]);
await selects("p:nth-child(even)", [7]);
await selects("div p:nth-child( 2n + 1 )", [3, 5, 9]);
await selects("p:nth-child(-n+3)", [3, 5, 9]);
await selects("p:nth-child(n+2)", [5, 7]);
await selects("p:nth-child(+3)", [5]);
await selects("p:nth-of-type(2)", [5]);
await selects("span:first-of-type, p:first-of-type", [3, 4, 9]);
await selects("p:not(.b)", [5, 7, 9]);
await selects("p:not(.b, [data-k])", [7, 9]);
await selects(":not(p):not(div)", [0, 1, 4, 6]);
await selects("\\70", [3, 5, 7, 9]);
await selects("#\\78 ", [2]);
for (const selector of ["", " ", ",", "a,", "a >", "> a", "a + b", "a ~ b", "a || b", "a b:", ":hover", "::before", "a::after", "[", "[a", "[a=", "[a=]", "[a='b]", "[a b]", "[a=b x]", "[a!=b]", ".", ".1", "#", "a..b", "a(", ":nth-child", ":nth-child()", ":nth-child(x)", ":nth-child(2n+)", ":nth-child(2 n)", ":not()", ":not(a", ":not(:not(a))", ":not(a b)", "a)", "1", "*a", "a*", "\\"]) {
  throws(() => new HTMLRewriter().on(selector, {}), { name: "TypeError" }, `selector ${JSON.stringify(selector)}`);
}

// ---- responses

const headers = { "content-type": "text/html", "content-length": "3", "x-a": "b" };
const changed = new HTMLRewriter().transform(new Response("<a>", { status: 201, statusText: "Made", headers }));
same([changed.status, changed.statusText, changed.headers.get("x-a"), changed.headers.has("content-length")], [201, "Made", "b", false]);
same(await changed.text(), "<a>");
same(new HTMLRewriter().transform(new Response(null, { status: 204 })).body, null);
throws(() => new HTMLRewriter().transform("x"), { name: "TypeError" });
throws(() => new HTMLRewriter().transform(), { name: "TypeError" });
throws(() => new HTMLRewriter().on("a"), { name: "TypeError" });
throws(() => new HTMLRewriter().on("a", null), { name: "TypeError" });
throws(() => new HTMLRewriter().on("a", { element: 1 }), { name: "TypeError" });

// What a handler throws is the body's error, and the source is cancelled.
let cancelled;
const source = new ReadableStream({ pull(c) { c.enqueue(encoder.encode("<a>")); }, cancel(reason) { cancelled = reason; } });
const failure = new Error("of the handler");
await rejects(new HTMLRewriter().on("a", { element() { throw failure; } }).transform(new Response(source)).text(), { message: "of the handler" });
same(cancelled === failure, true);
await rejects(new HTMLRewriter().on("a", { async element() { throw failure; } }).transform(new Response("<a>")).text(), { message: "of the handler" });
await rejects(new HTMLRewriter().transform(new Response(new ReadableStream({ start(c) { c.error(failure); } }))).text(), { message: "of the handler" });

// Tokens are of no use after their handler.
let kept, keptEnd;
await new HTMLRewriter().on("a", { element(e) { kept = e; e.onEndTag((t) => { keptEnd = t; }); } }).transform(new Response("<a></a>")).text();
throws(() => kept.tagName, { name: "TypeError" });
throws(() => kept.before("x"), { name: "TypeError" });
throws(() => keptEnd.name, { name: "TypeError" });

// Content that streams.
const streamed = (r) => r.on("a", { element(e) { e.prepend(cut(encoder.encode("<\u00e9>"), 1)).after(new Response("<i>"), { html: true }); } });
await rewrites(streamed, "<a>x</a>", "<a>&lt;\u00e9&gt;x</a><i>");

// The source is read as the result is: no further than it must.
let pulled = 0;
const endless = new ReadableStream({ pull(c) { pulled++; c.enqueue(encoder.encode("<p>x</p>")); } }, { highWaterMark: 0 });
const reader = new HTMLRewriter().on("p", { element(e) { e.setAttribute("n", "1"); } }).transform(new Response(endless)).body.getReader();
for (let i = 0; i < 3; i++) same(new TextDecoder().decode((await reader.read()).value), '<p n="1">x</p>');
check(pulled <= 4, `${pulled} chunks were pulled for 3`);
await reader.cancel();

// A tag without an end is not kept without a bound.
const long = new ReadableStream({ start(c) { c.enqueue(encoder.encode("<a ")); }, pull(c) { c.enqueue(new Uint8Array(65536).fill(97)); } });
await rejects(new HTMLRewriter().on("a", { element() {} }).transform(new Response(long)).text(), { name: "TypeError" });
done();
