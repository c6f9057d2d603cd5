import page from "./page.html";

interface Env {
	LOADER: WorkerLoader;
}

// A worker as the page shows it.
interface Greeting {
	name: string;
	visits: number;
	text: string;
}

// What worker i runs: the same code for all, so that it is evaluated once. Each has
// an isolate of its own, and counts in it.
const code = (name: string): WorkerLoaderWorkerCode => ({
	compatibilityDate: "2026-11-01",
	mainModule: "main.js",
	modules: {
		"main.js": `
			let visits = 0;
			export default {
				async fetch(request, env) {
					const said = await request.text();
					return Response.json({ name: env.NAME, visits: ++visits, text: said ? [...said].reverse().join("") : "hello from " + env.NAME });
				},
			};
		`,
	},
	env: { NAME: name },
	globalOutbound: null,
});

async function ask(env: Env, i: number, text = ""): Promise<Greeting> {
	const name = "worker-" + i;
	const worker = env.LOADER.get(name, () => code(name));
	const answer = await worker.getEntrypoint().fetch("http://worker/", { method: "POST", body: text });
	return answer.json();
}

// askAll asks the workers from one to another, some at a time.
async function askAll(env: Env, from: number, to: number): Promise<Greeting[]> {
	const greetings: Greeting[] = [];
	for (let at = from; at < to; at += 50) {
		const numbers = Array.from({ length: Math.min(50, to - at) }, (_, i) => at + i);
		greetings.push(...(await Promise.all(numbers.map((i) => ask(env, i)))));
	}
	return greetings;
}

export default {
	async fetch(request, env): Promise<Response> {
		const { pathname, searchParams } = new URL(request.url);
		const [from, to] = [Number(searchParams.get("from")), Number(searchParams.get("to"))];
		const [, worker] = /\/workers\/(\d+)$/.exec(pathname) ?? [];
		if (worker) return Response.json(await ask(env, Number(worker), await request.text()));
		if (pathname.endsWith("/workers")) {
			if (!(0 <= from && from <= to && to - from <= 500)) return new Response("500 workers at most", { status: 400 });
			const greetings = await askAll(env, from, to);
			return Response.json(request.method === "POST" ? { made: greetings.length } : greetings);
		}
		return new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
	},
} satisfies ExportedHandler<Env>;
