interface Env {
	LOADER: WorkerLoader;
}

// The code of a worker that this one makes: it could come from a user, an agent
// or a bucket.
function greeter(greeting: string): WorkerLoaderWorkerCode {
	return {
		compatibilityDate: "2026-11-01",
		mainModule: "main.js",
		modules: {
			"main.js": `
				let greeted = 0;
				export default {
					fetch(request, env) {
						const name = decodeURIComponent(new URL(request.url).pathname.slice(1)) || "world";
						return new Response(env.GREETING + ", " + name + "! Greeted so far: " + ++greeted + "\\n");
					},
				};
			`,
		},
		env: { GREETING: greeting },
		globalOutbound: null, // it can't reach the network
	};
}

export default {
	async fetch(request, env): Promise<Response> {
		const { pathname } = new URL(request.url);
		const [, how, name = ""] = pathname.split("/");
		const inside = `http://worker/${name}`;
		switch (how) {
			case "load": // a worker for this request only
				return env.LOADER.load(greeter("Hello once")).getEntrypoint().fetch(inside);
			case "get": // the same worker each time; its code is asked for when it isn't there
				return env.LOADER.get("greeter", () => greeter("Hello again")).getEntrypoint().fetch(inside);
		}
		return new Response("Try /load/you and /get/you, each more than once.\n", { status: how ? 404 : 200 });
	},
} satisfies ExportedHandler<Env>;
