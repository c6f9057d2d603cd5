import { Hono } from "hono";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";

const app = new Hono<{ Bindings: { GREETING: string } }>();
app.use("/api/*", cors());
app.get("/", (c) => c.text(c.env.GREETING));
app.get("/api/users/:id{[0-9]+}", (c) => c.json({ id: Number(c.req.param("id")), q: c.req.query("q") }));
app.post("/api/echo", async (c) => c.json(await c.req.json(), 201));
app.get("/fail", () => { throw new HTTPException(418, { message: "a teapot" }); });
app.notFound((c) => c.html("<p>nothing</p>", 404));
export default app;
