import util from "node:util";
import url from "node:url";
import querystring from "node:querystring";
import events, { EventEmitter } from "node:events";
import dc from "node:diagnostics_channel";
import readline from "node:readline";
import { Readable } from "node:stream";
import net from "node:net";
import os from "node:os";
import http from "node:http";
import vm from "node:vm";
import punycode from "node:punycode";
import { isBuiltin } from "node:module";

const log = console.log;
log(util.parseArgs({ args: ["-f", "--bar", "b", "pos"], options: { foo: { type: "boolean", short: "f" }, bar: { type: "string" } }, allowPositionals: true }));
try { util.parseArgs({ args: ["--nope"], options: {} }); } catch (error) { log(error.code); }
log(JSON.stringify(util.styleText("red", "x", { validateStream: false })), util.stripVTControlCharacters("\u001b[31mx\u001b[0m"));
const mime = new util.MIMEType("Text/HTML; charset=UTF-8; q=\"a b\"");
log(mime.essence, mime.params.get("charset"), String(mime), mime.params.has("nope"));
try { new util.MIMEType("nope"); } catch (error) { log(error.code); }
log(util.format("%s %d %i %j %o %%", "a", 1.5, 2.7, { x: 1 }, [1]), util.inspect({ a: { b: { c: { d: 1 } } } }, { depth: 1 }));
log(await util.promisify((a, callback) => callback(null, a + 1))(1), util.types.isPromise(Promise.resolve()), util.isDeepStrictEqual({ a: [1] }, { a: [1] }));
util.callbackify(async (x) => x * 2)(4, (error, value) => log("callbackified", error, value));
await new Promise((resolve) => setTimeout(resolve, 2));
log(util.getSystemErrorName(-2), util.inspect(new Proxy({}, {}), { showProxy: true }), util.toUSVString("\ud800"));
class A {}
function B() {}
util.inherits(B, A);
log(new B() instanceof A, B.super_ === A);

const parsed = url.parse("http://user:pass@host.com:8080/p/a/t/h?query=string#hash");
log(parsed.host, parsed.auth, parsed.pathname, parsed.query, parsed.hash, url.parse("/a?x=1&y=2", true).query.y);
log(url.resolve("/one/two/three", "four"), url.resolve("http://example.com/one", "/two"), url.format({ protocol: "https", hostname: "e.com", pathname: "x", query: { a: 1 } }));
log(url.format(new URL("https://a:b@測試.com/p?x#h"), { fragment: false, auth: false, unicode: true }), url.domainToASCII("español.com"), url.domainToUnicode("xn--espaol-zwa.com"));
log(url.fileURLToPath("file:///a%20b"), url.pathToFileURL("/a b#c").href, url.urlToHttpOptions(new URL("https://a:b@x.com/p?q")).auth);
log(querystring.parse("a=1&b=2&a=3&c=%20x"), querystring.stringify({ a: [1, 2], b: "x y", c: "" }), querystring.escape("ä&"), querystring.unescape("%C3%A4"));

const emitter = new EventEmitter({});
emitter.prependListener("x", () => log("second"));
emitter.prependOnceListener("x", () => log("first"));
emitter.emit("x");
emitter.emit("x");
log(emitter.listenerCount("x"), emitter.eventNames(), events.getEventListeners(emitter, "x").length, EventEmitter.listenerCount(emitter, "x"));
setTimeout(() => emitter.emit("y", 1, 2), 1);
log(await events.once(emitter, "y"));
try { emitter.emit("error", new Error("unhandled")); } catch (error) { log(error.message); }
const ac = new AbortController();
setTimeout(() => { emitter.emit("z", 1); emitter.emit("z", 2); ac.abort(); }, 1);
try { for await (const [v] of events.on(emitter, "z", { signal: ac.signal })) log("z", v); } catch (error) { log(error.name, error.code); }

const channel = dc.channel("c");
channel.subscribe((message, name) => log("message", message, name));
channel.publish({ a: 1 });
log(channel.hasSubscribers, dc.channel("none").hasSubscribers);
const tracing = dc.tracingChannel("t");
tracing.subscribe({ start: () => log("start"), end: () => log("end"), asyncEnd: () => log("asyncEnd"), error: ({ error }) => log("error", error.message) });
log(tracing.traceSync((x) => x + 1, {}, undefined, 1), await tracing.tracePromise(async () => "p", {}));

const lines = [];
for await (const line of readline.createInterface({ input: Readable.from(["a\nb", "c\r\n", "d"]), crlfDelay: Infinity })) lines.push(line);
log(lines);
const rl = readline.createInterface({ input: Readable.from(["Ada\nrest\n"]) });
log(await new Promise((resolve) => rl.question("", resolve)));
rl.close();

log(["1.2.3.4", "256.1.1.1", "::1", "fe80::1%eth0", "x"].map(net.isIP), os.EOL === "\n", os.constants.signals.SIGTERM, http.STATUS_CODES[404], http.METHODS.includes("PATCH"));
log(punycode.toASCII("mañana.com"), punycode.ucs2.decode("\u{1f600}"), isBuiltin("fs"), isBuiltin("node:nope"));
log(typeof vm.Script, process.getBuiltinModule?.("node:os") === os || true);
const [seconds, nanos] = process.hrtime();
log(typeof process.hrtime.bigint(), seconds >= 0 && nanos >= 0, process.platform, typeof process.memoryUsage().heapUsed, process.cwd() !== "", process.argv.length >= 2);
process.on("beforeExit", (code) => { log("beforeExit", code); });
process.on("exit", (code) => log("exit", code));
