import { Hono } from "hono";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import { sign, verify } from "hono/jwt";
import { stream } from "hono/streaming";
import { equal, match } from "../check.js";

const app = new Hono();
app.use("/api/*", cors({ origin: "https://example.com" }));
app.get("/api/users/:id{[0-9]+}", (c) => c.json({ id: c.req.param("id"), q: c.req.query("q") }));
app.post("/api/echo", async (c) => c.json(await c.req.json(), 201));
app.post("/form", async (c) => c.text((await c.req.parseBody()).name));
app.get("/fail", () => { throw new HTTPException(418, { message: "teapot" }); });
app.get("/stream", (c) => stream(c, async (s) => { for (const part of ["a", "b"]) await s.write(part); }));
app.notFound((c) => c.text("nothing here", 404));

const user = await app.request("/api/users/7?q=x", { headers: { origin: "https://example.com" } });
equal([user.status, await user.json(), user.headers.get("access-control-allow-origin")], [200, { id: "7", q: "x" }, "https://example.com"]);
const echo = await app.request("/api/echo", { method: "POST", body: JSON.stringify([1]), headers: { "content-type": "application/json" } });
equal([echo.status, await echo.json()], [201, [1]]);
const form = new FormData();
form.set("name", "Ada");
equal(await (await app.request("/form", { method: "POST", body: form })).text(), "Ada");
equal([(await app.request("/fail")).status, (await app.request("/none")).status], [418, 404]);
equal(await (await app.request("/stream")).text(), "ab");
const token = await sign({ sub: "1" }, "secret", "HS256");
match(token, /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
equal((await verify(token, "secret", "HS256")).sub, "1");
equal(await (await app.fetch(new Request("https://example.com/api/users/8"))).json(), { id: "8" });
