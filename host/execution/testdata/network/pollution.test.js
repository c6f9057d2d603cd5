// What this platform's own classes do does not hang on the builtins that a program
// may have replaced. (What the package of streams uses is left out.)
import { done, same } from "./check.js";

const host = process.env.SERVER;
const got = [];
let count = 0;
const said = (...values) => { for (let i = 0; i < values.length; i++) got[count++] = values[i]; };
const bad = () => { throw new Error("polluted"); };
const table = [[Array.prototype, ["splice", "join", "indexOf", "map"]], [String.prototype, ["indexOf", "slice", "charCodeAt", "toLowerCase", "startsWith", "split", "replaceAll", "trim", "includes"]], [Map.prototype, ["get", "set", "has", "delete"]], [Set.prototype, ["has", "add"]], [WeakMap.prototype, ["get", "set"]], [RegExp.prototype, ["exec", "test", Symbol.match]], [Object.getPrototypeOf(Uint8Array.prototype), ["subarray", "indexOf", "fill"]], [Function.prototype, ["bind"]], [Headers.prototype, ["get", "delete", "set"]], [ReadableStream.prototype, ["getReader", "pipeThrough"]], [ReadableStreamDefaultReader.prototype, ["read", "cancel"]], [EventTarget.prototype, ["dispatchEvent"]]];
for (let i = 0; i < table.length; i++) for (let j = 0; j < table[i][1].length; j++) table[i][0][table[i][1][j]] = bad;
const names = ["body", "status", "headers", "statusText"];
const define = Object.defineProperty;
for (let i = 0; i < 4; i++) { const n = names[i]; Object.defineProperty(Response.prototype, n, { get: bad, configurable: true }); }
globalThis.URL = globalThis.TextDecoder = globalThis.Map = globalThis.Set = globalThis.RegExp = bad;
let finished;
const over = new Promise((resolve) => { finished = resolve; });
const r = new HTMLRewriter().on("a[href^=x] > b:nth-child(1), i", { element(e) { e.setAttribute("k", "v"); e.append("<"); e.onEndTag((t) => { t.after("!"); }); }, text(t) { if (t.lastInTextNode) t.after("T"); } }).onDocument({ comments(c) { c.remove(); }, doctype() {}, end(e) { e.append("E"); } });
said(await r.transform(new Response("<!doctype html><a href='xy'><b>1</b></a><!-- c --><i>t</i><script>x</script>")).text());
const p = new WebSocketPair(); const a = p[0], b = p[1];
a.accept(); b.accept();
b.onmessage = (e) => { said("got", e.data); b.close(3000, "r"); };
a.onclose = (e) => said("closed", e.code, e.reason);
a.send("hi");
const w = new WebSocket("ws://" + host + "/socket", "chat");
w.onopen = () => { said("open", w.protocol); w.send("echo"); };
w.onmessage = (e) => { said(e.data); w.close(); };
w.onclose = (e) => { said("ws closed", e.code); const es = new EventSource("http://" + host + "/events?type=text/event-stream"); es.onmessage = (e) => { said(e.data, e.lastEventId); es.close(); finished(); }; };
w.onerror = (e) => said(e.message);
const f = await fetch("data:text/plain;charset=x,abc", { integrity: "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=" });
said(await f.text());
await over;
same(got.includes("<!doctype html><a href='xy'><b k=\"v\">1T&lt;</b>!</a><i k=\"v\">tT&lt;</i>!<script>x</script>E"), true);
for (const value of ["got", "hi", "open", "chat", "closed", 3000, "echo", "ws closed", 1005, "text/event-stream ", "1", "abc"]) same(got.includes(value), true, String(value));
done();
