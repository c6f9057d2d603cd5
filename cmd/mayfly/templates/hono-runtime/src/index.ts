import { createWorker } from "@cloudflare/worker-bundler";

interface Env {
	LOADER: WorkerLoader;
}

// The files of a project, as a user or an agent has written them. They are bundled
// when the first request comes.
const files = {
	"package.json": JSON.stringify({ dependencies: { hono: "4.13.19" } }),
	"src/index.ts": `
		import { Hono } from "hono";
		import { page } from "./page";

		const app = new Hono<{ Bindings: { OWNER: string } }>();
		app.get("/", (c) => c.html(page(c.env.OWNER)));
		app.get("/api/items/:id{[0-9]+}", (c) => c.json({ id: Number(c.req.param("id")), owner: c.env.OWNER }));
		app.notFound((c) => c.json({ error: "there is no " + c.req.path }, 404));
		export default app;
	`,
	"src/page.ts": `
		import { html } from "hono/html";

		export const page = (owner: string) => html\`<!doctype html>
			<title>Hono at run time</title>
			<body style="font: 16px/1.6 system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; color: #223">
				<h1>Hono, bundled at run time</h1>
				<p>This page comes from the worker of <b>\${owner}</b>, which another worker has made of source files.</p>
				<p><a href="api/items/7">An item as JSON</a></p>\`;
	`,
};

export default {
	async fetch(request, env): Promise<Response> {
		const worker = env.LOADER.get("hono-app", async () => {
			const { mainModule, modules } = await createWorker({ files });
			return { compatibilityDate: "2026-11-01", mainModule, modules, env: { OWNER: "a user" }, globalOutbound: null };
		});
		return worker.getEntrypoint().fetch(request);
	},
} satisfies ExportedHandler<Env>;
