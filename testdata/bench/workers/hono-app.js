// Hono with much of its middleware and few routes: what an agent's worker is.
import { Hono } from "hono";
import { basicAuth } from "hono/basic-auth";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import { jwt } from "hono/jwt";
import { logger } from "hono/logger";
import { secureHeaders } from "hono/secure-headers";
import { validator } from "hono/validator";

const app = new Hono();
app.use("/secure/*", cors(), secureHeaders(), etag());
app.use("/admin/*", basicAuth({ username: "admin", password: "secret" }));
app.use("/private/*", jwt({ secret: "secret", alg: "HS256" }));
app.get("/", (c) => c.text("hello from Hono"));
app.get("/items/:id", (c) => c.json({ name: `item ${c.req.param("id")}` }));
app.post("/items", validator("json", (v) => v), (c) => c.json(c.req.valid("json"), 201));
app.get("/logged", logger(), (c) => c.text("x"));
app.notFound((c) => c.json({ error: "not found" }, 404));
export default app;
