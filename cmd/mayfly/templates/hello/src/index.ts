interface Env {
	GREETING: string;
}

export default {
	async fetch(request, env): Promise<Response> {
		const { pathname } = new URL(request.url);
		const name = decodeURIComponent(pathname.slice(1)) || "world";
		console.log("greeting", name);
		return new Response(`${env.GREETING}, ${name}!\n`);
	},
} satisfies ExportedHandler<Env>;
