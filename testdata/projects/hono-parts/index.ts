// Hono's parts, each asked as its documentation says: the worker answers what failed.
import { Hono } from "hono";
import { accepts } from "hono/accepts";
import { basicAuth } from "hono/basic-auth";
import { bearerAuth } from "hono/bearer-auth";
import { bodyLimit } from "hono/body-limit";
import { deleteCookie, getCookie, getSignedCookie, setCookie, setSignedCookie } from "hono/cookie";
import { compress } from "hono/compress";
import { contextStorage, getContext } from "hono/context-storage";
import { cors } from "hono/cors";
import { csrf } from "hono/csrf";
import { etag } from "hono/etag";
import { createFactory } from "hono/factory";
import { html, raw } from "hono/html";
import { HTTPException } from "hono/http-exception";
import { jwt, sign, verify } from "hono/jwt";
import { logger } from "hono/logger";
import { methodOverride } from "hono/method-override";
import { poweredBy } from "hono/powered-by";
import { prettyJSON } from "hono/pretty-json";
import { requestId } from "hono/request-id";
import { LinearRouter } from "hono/router/linear-router";
import { PatternRouter } from "hono/router/pattern-router";
import { RegExpRouter } from "hono/router/reg-exp-router";
import { SmartRouter } from "hono/router/smart-router";
import { TrieRouter } from "hono/router/trie-router";
import { secureHeaders } from "hono/secure-headers";
import { stream, streamSSE, streamText } from "hono/streaming";
import { testClient } from "hono/testing";
import { timeout } from "hono/timeout";
import { timing, setMetric } from "hono/timing";
import { appendTrailingSlash, trimTrailingSlash } from "hono/trailing-slash";
import { validator } from "hono/validator";

const cases: Record<string, (env: object) => unknown> = {};
const equal = (got: unknown, want: unknown): void => {
	if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
};
const text = async (response: Response | Promise<Response>): Promise<string> => `${(await response).status} ${await (await response).text()}`;
const json = (body: unknown): RequestInit => ({ method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });

const routers = {
	linear: () => new LinearRouter<never>(),
	pattern: () => new PatternRouter<never>(),
	"reg-exp": () => new RegExpRouter<never>(),
	trie: () => new TrieRouter<never>(),
	smart: () => new SmartRouter<never>({ routers: [new RegExpRouter(), new TrieRouter()] }),
};
for (const [name, router] of Object.entries(routers)) {
	cases[`router ${name}`] = async () => {
		const app = new Hono({ router: router() });
		app.use("*", async (c, next) => { await next(); c.header("x-seen", "1"); });
		app.get("/", (c) => c.text("root"));
		app.get("/posts/:id", (c) => c.text("post " + c.req.param("id")));
		app.get("/posts/:id/comments/:comment", (c) => c.json([c.req.param("id"), c.req.param("comment"), Object.keys(c.req.param()).sort()]));
		app.get("/year/:y{[0-9]{4}}", (c) => c.text("year " + c.req.param("y")));
		app.get("/files/*", (c) => c.text("file " + c.req.path));
		app.on(["PUT", "DELETE"], "/any", (c) => c.text(c.req.method));
		app.all("/all", (c) => c.text("all " + c.req.method));
		equal(await text(app.request("/")), "200 root");
		equal(await text(app.request("/posts/a%20b")), "200 post a b");
		equal(await text(app.request("/posts/1/comments/2")), '200 ["1","2",["comment","id"]]');
		equal(await text(app.request("/year/2026")), "200 year 2026");
		equal(await text(app.request("/year/now")), "404 404 Not Found");
		equal(await text(app.request("/files/a/b.txt")), "200 file /files/a/b.txt");
		equal(await text(app.request("/any", { method: "DELETE" })), "200 DELETE");
		equal(await text(app.request("/any")), "404 404 Not Found");
		equal(await text(app.request("/all", { method: "PATCH" })), "200 all PATCH");
		equal((await app.request("/all")).headers.get("x-seen"), "1");
	};
}
cases["optional parameters, base paths, mounted apps"] = async () => {
	const inner = new Hono().get("/book/:id?", (c) => c.text("book " + (c.req.param("id") ?? "none")));
	const app = new Hono().basePath("/v1").route("/shop", inner).mount("/other", (r) => new Response("mounted " + new URL(r.url).pathname));
	equal(await text(app.request("/v1/shop/book")), "200 book none");
	equal(await text(app.request("/v1/shop/book/5")), "200 book 5");
	equal(await text(app.request("/v1/other/x")), "200 mounted /x");
};
cases["request: query, headers, bodies"] = async () => {
	const app = new Hono();
	app.get("/q", (c) => c.json({ one: c.req.query("a"), all: c.req.queries("a"), header: c.req.header("x-a") }));
	app.post("/form", async (c) => {
		const { name, file } = await c.req.parseBody();
		return c.text(name + " " + (file as File).name + " " + (await (file as File).text()));
	});
	app.post("/twice", async (c) => c.json([await c.req.text(), (await c.req.json()).a, (await c.req.arrayBuffer()).byteLength]));
	equal(await text(app.request("/q?a=1&a=%C3%A9", { headers: { "X-A": "h" } })), '200 {"one":"1","all":["1","é"],"header":"h"}');
	const form = new FormData();
	form.append("name", "me");
	form.append("file", new File(["content"], "a.txt"));
	equal(await text(app.request("/form", { method: "POST", body: form })), "200 me a.txt content");
	equal(await text(app.request("/twice", json({ a: 1 }))), '200 ["{\\"a\\":1}",1,7]');
};
cases["answers: kinds, redirects, errors"] = async (env) => {
	const app = new Hono<{ Bindings: { NAME: string } }>();
	app.get("/env", (c) => c.text(c.env.NAME));
	app.get("/html", (c) => c.html(html`<p>${"<&>"}${raw("<b>")}</p>`));
	app.get("/body", (c) => c.body(new Uint8Array([104, 105]), 201, { "x-a": "b" }));
	app.get("/redirect", (c) => c.redirect("/there", 301));
	app.get("/http", () => { throw new HTTPException(418, { message: "teapot" }); });
	app.get("/fail", () => { throw new RangeError("on purpose"); });
	app.onError((e, c) => e instanceof HTTPException ? e.getResponse() : c.text(e.name + ": " + e.message, 500));
	app.notFound((c) => c.text("nothing", 404));
	equal(await text(app.request("/env", {}, env)), "200 of env");
	equal(await text(app.request("/html")), "200 <p>&lt;&amp;&gt;<b></p>");
	equal(await text(app.request("/body")), "201 hi");
	equal((await app.request("/redirect")).headers.get("location"), "/there");
	equal([await text(app.request("/http")), await text(app.request("/fail")), await text(app.request("/none"))], ["418 teapot", "500 RangeError: on purpose", "404 nothing"]);
};
cases["cors, csrf, secure headers"] = async () => {
	const app = new Hono();
	app.use(cors({ origin: ["https://a.example"], allowMethods: ["GET", "PUT"], maxAge: 5, credentials: true }), csrf(), secureHeaders());
	app.all("/", (c) => c.text("ok"));
	const preflight = await app.request("/", { method: "OPTIONS", headers: { origin: "https://a.example", "access-control-request-method": "PUT" } });
	equal([preflight.status, preflight.headers.get("access-control-allow-origin"), preflight.headers.get("access-control-allow-methods"), preflight.headers.get("access-control-max-age")], [204, "https://a.example", "GET,PUT", "5"]);
	equal((await app.request("/")).headers.get("x-frame-options"), "SAMEORIGIN");
	equal((await app.request("http://h/", { method: "POST", headers: { "content-type": "text/plain", origin: "http://evil" } })).status, 403);
};
cases["authentication"] = async () => {
	const app = new Hono();
	app.use("/basic", basicAuth({ username: "u", password: "p" })).use("/bearer", bearerAuth({ token: "t" })).use("/jwt", jwt({ secret: "s", alg: "HS256" }));
	app.get("/jwt", (c) => c.json(c.get("jwtPayload"))).get("*", (c) => c.text("in"));
	const ask = (path: string, authorization: string) => text(app.request(path, { headers: { authorization } }));
	equal([await ask("/basic", "Basic " + btoa("u:p")), await ask("/basic", "Basic " + btoa("u:x"))], ["200 in", "401 Unauthorized"]);
	equal([await ask("/bearer", "Bearer t"), await ask("/bearer", "Bearer x")], ["200 in", "401 Unauthorized"]);
	equal([await ask("/jwt", "Bearer " + (await sign({ a: 1 }, "s", "HS256"))), (await ask("/jwt", "Bearer " + (await sign({ a: 1 }, "no", "HS256")))).slice(0, 3)], ['200 {"a":1}', "401"]);
	for (const alg of ["HS384", "HS512"] as const) equal(await verify(await sign({ b: 2 }, "k", alg), "k", alg), { b: 2 });
	const { privateKey, publicKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]) as CryptoKeyPair;
	equal(await verify(await sign({ c: 3 }, privateKey, "ES256"), publicKey, "ES256"), { c: 3 });
};
cases["cookies"] = async () => {
	const app = new Hono();
	app.get("/set", async (c) => { setCookie(c, "a", "1 2", { path: "/", httpOnly: true, sameSite: "Lax" }); await setSignedCookie(c, "s", "v", "secret"); deleteCookie(c, "old"); return c.text(""); });
	app.get("/get", async (c) => c.json([getCookie(c, "a"), await getSignedCookie(c, "secret", "s"), await getSignedCookie(c, "other", "s")]));
	const set = (await app.request("/set")).headers.getSetCookie();
	equal([set.length, set[0], set[2].startsWith("old=; Max-Age=0")], [3, "a=1%202; Path=/; HttpOnly; SameSite=Lax", true]);
	equal(await text(app.request("/get", { headers: { cookie: set.map((s) => s.split(";")[0]).join("; ") } })), '200 ["1 2","v",false]');
};
cases["middleware of answers"] = async () => {
	const app = new Hono();
	const lines: string[] = [];
	app.use(etag(), poweredBy(), prettyJSON(), requestId(), timing(), logger((line) => lines.push(line)));
	app.get("/", (c) => { setMetric(c, "m", 5, "metric"); return c.json({ a: 1 }); });
	const first = await app.request("/?pretty");
	equal(await first.text(), '{\n  "a": 1\n}');
	equal([first.headers.get("x-powered-by"), /^[\w-]{36}$/.test(first.headers.get("x-request-id")!), first.headers.get("server-timing")?.includes("m;dur=5")], ["Hono", true, true]);
	equal((await app.request("/?pretty", { headers: { "if-none-match": first.headers.get("etag")! } })).status, 304);
	equal([lines.length, lines[0]], [4, "<-- GET /?pretty"]);
};
cases["limits: bodies, time"] = async () => {
	const app = new Hono();
	app.post("/", bodyLimit({ maxSize: 4 }), async (c) => c.text(await c.req.text()));
	app.get("/slow", timeout(20), async (c) => { await new Promise((r) => setTimeout(r, 2000)); return c.text("late"); });
	equal([await text(app.request("/", { method: "POST", body: "1234", headers: { "content-length": "4" } })), (await text(app.request("/", { method: "POST", body: "12345", headers: { "content-length": "5" } }))).slice(0, 3), await text(app.request("/slow"))], ["200 1234", "413", "504 Gateway Timeout"]);
};
cases["paths and methods"] = async () => {
	const trim = new Hono().use(trimTrailingSlash()).get("/a", (c) => c.text("a"));
	const append = new Hono().use(appendTrailingSlash()).get("/a/", (c) => c.text("a"));
	equal([(await trim.request("/a/")).headers.get("location"), (await append.request("/a")).headers.get("location")].map((l) => l && new URL(l).pathname), ["/a", "/a/"]);
	const app = new Hono();
	app.use(methodOverride({ app })).delete("/x", (c) => c.text("deleted"));
	equal(await text(app.request("/x", { method: "POST", body: new URLSearchParams({ _method: "DELETE" }) })), "200 deleted");
};
cases["compression"] = async () => {
	const app = new Hono().use(compress()).get("/", (c) => c.text("a".repeat(5000)));
	const response = await app.request("/", { headers: { "accept-encoding": "gzip" } });
	equal(response.headers.get("content-encoding"), "gzip");
	equal((await new Response(response.body!.pipeThrough(new DecompressionStream("gzip"))).text()).length, 5000);
};
cases["streams"] = async () => {
	const app = new Hono();
	app.get("/bytes", (c) => stream(c, async (s) => { await s.write(new Uint8Array([97])); await s.pipe(new Response("b").body!); }));
	app.get("/text", (c) => streamText(c, async (s) => { for (const word of ["a", "b"]) { await s.writeln(word); await s.sleep(1); } }));
	app.get("/events", (c) => streamSSE(c, async (s) => { await s.writeSSE({ data: "one\ntwo", event: "e", id: "1" }); }));
	equal([await text(app.request("/bytes")), await text(app.request("/text")), await text(app.request("/events"))], ["200 ab", "200 a\nb\n", "200 event: e\ndata: one\ndata: two\nid: 1\n\n"]);
};
cases["validators, factories, clients"] = async () => {
	const factory = createFactory<{ Variables: { who: string } }>();
	const who = factory.createMiddleware(async (c, next) => { c.set("who", "me"); await next(); });
	const app = new Hono().post("/", validator("json", (v: { n?: unknown }, c) => typeof v.n === "number" ? { n: v.n } : c.text("bad", 400)), who, (c) => c.json({ n: c.req.valid("json").n + 1, who: c.var.who }));
	equal([await text(app.request("/", json({ n: 1 }))), await text(app.request("/", json({ n: "1" })))], ['200 {"n":2,"who":"me"}', "400 bad"]);
	equal(await (await (testClient(app) as any).index.$post({ json: { n: 5 } })).json(), { n: 6, who: "me" });
};
cases["context storage, accepts"] = async () => {
	const app = new Hono<{ Variables: { id: string } }>();
	app.use(contextStorage(), async (c, next) => { c.set("id", c.req.query("id")!); await next(); });
	app.get("/", async (c) => { await new Promise((r) => setTimeout(r, 5)); return c.text(getContext<{ Variables: { id: string } }>().var.id); });
	app.get("/lang", (c) => c.text(accepts(c, { header: "Accept-Language", supports: ["en", "de"], default: "en" })));
	equal(await Promise.all(["1", "2", "3"].map((id) => text(app.request("/?id=" + id)))), ["200 1", "200 2", "200 3"]);
	equal(await text(app.request("/lang", { headers: { "accept-language": "fr;q=0.9, de;q=0.8" } })), "200 de");
};

export default {
	async fetch(_: Request, env: object): Promise<Response> {
		const failed: string[] = [];
		for (const [name, run] of Object.entries(cases)) {
			try {
				await run(env);
			} catch (error) {
				failed.push(`${name}: ${error}`);
			}
		}
		return new Response(failed.length ? failed.join("\n") : `${Object.keys(cases).length} right`);
	},
};
