import agent from "./agent.py";
import page from "./page.html";

interface Env {
	LOADER: WorkerLoader;
	CHARTS: R2Bucket;
}

interface Agent extends Rpc.WorkerEntrypointBranded {
	draw(name: string, csv: string): Promise<string>;
}

export default {
	async fetch(request, env): Promise<Response> {
		const { pathname } = new URL(request.url);
		const [, chart] = /\/charts\/([\w-]+\.svg)$/.exec(pathname) ?? [];
		if (chart) return show(env, chart);
		if (request.method === "POST" && pathname.endsWith("/draw")) return draw(env, await request.json());
		const start = page.replace("{{code}}", () => agent.replaceAll("&", "&amp;").replaceAll("<", "&lt;"));
		return new Response(start, { headers: { "content-type": "text/html; charset=utf-8" } });
	},
} satisfies ExportedHandler<Env>;

// draw runs Python in a worker of its own, which gets the bucket and no network.
async function draw(env: Env, { code, csv }: { code: string; csv: string }): Promise<Response> {
	const worker = env.LOADER.load({
		compatibilityDate: "2026-11-01",
		mainModule: "agent.py",
		modules: { "agent.py": code },
		env: { CHARTS: env.CHARTS },
		globalOutbound: null,
	});
	const name = `${crypto.randomUUID()}.svg`;
	try {
		const said = await (worker.getEntrypoint() as unknown as Agent).draw(name, csv);
		return Response.json({ chart: `charts/${name}`, said });
	} catch (error) {
		return Response.json({ error: String(error) }, { status: 422 });
	}
}

async function show(env: Env, name: string): Promise<Response> {
	const object = await env.CHARTS.get(name);
	if (!object) return new Response("there is no such chart", { status: 404 });
	// A stranger's SVG: it may not run scripts where it is opened by itself.
	return new Response(object.body, { headers: { "content-type": "image/svg+xml", "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'" } });
}
