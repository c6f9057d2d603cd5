/*---
rows = [7, 5, 23]
attack = "markup that is never done: a tag without an end, elements that are never closed, end tags that close nothing"
outcomes = ["ok"]
match = "TypeError"
[request]
limits = { cpu_ms = 5000, memory_mb = 64, wall_ms = 20000 }
---*/
const said = [];
const run = async (source) => { try { said.push((await new HTMLRewriter().on("a b, p:nth-child(2n)", { element() {}, text() {} }).transform(new Response(source)).text()).length); } catch (e) { said.push(e.name); } };
await run("<a " + "x".repeat(2_000_000));
await run("<!-- " + "-".repeat(2_000_000));
await run("<b>".repeat(3000) + "</c>".repeat(3000) + "</b>".repeat(3000));
await run("<p>".repeat(3000));
said;
