import { AutoRouter, error } from "itty-router";

const router = AutoRouter();
router
	.get("/", () => "hello")
	.get("/api/users/:id", ({ id, query }) => ({ id: Number(id), q: query.q }))
	.post("/api/echo", async (request) => new Response(JSON.stringify(await request.json()), { status: 201 }))
	.get("/fail", () => error(418, "a teapot"));
export default { fetch: router.fetch };
