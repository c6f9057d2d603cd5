import { RpcTarget } from "cloudflare:workers";
import page from "./page.html";

interface Env {
	LOADER: WorkerLoader;
	MESSAGES: KVNamespace;
}

interface Message {
	author: string;
	text: string;
}

// Messages of the same millisecond are in the order in which they came.
let posted = 0;
const padded = (n: number): string => String(n).padStart(15, "0");

// Room is what people and bots have of a room. A bot gets a stub of it: it can say
// something under its own name and read what was said, and nothing else.
class Room extends RpcTarget {
	#messages: KVNamespace;
	#author: string;

	constructor(messages: KVNamespace, author: string) {
		super();
		this.#messages = messages;
		this.#author = author;
	}

	async post(text: string): Promise<void> {
		const message: Message = { author: this.#author, text: String(text).slice(0, 500) };
		const key = `${padded(Date.now())} ${padded(posted++)} ${crypto.randomUUID()}`;
		await this.#messages.put(key, "", { metadata: message, expirationTtl: 3600 });
	}

	async history(): Promise<Message[]> {
		const { keys } = await this.#messages.list<Message>({ limit: 1000 });
		return keys.map((key) => key.metadata!).slice(-50);
	}
}

// A Bot is what the code of a bot exports.
interface Bot extends Rpc.WorkerEntrypointBranded {
	hear(room: Room, message: Message): Promise<void>;
}

export default {
	async fetch(request, env): Promise<Response> {
		const { pathname } = new URL(request.url);
		if (request.method === "POST" && pathname.endsWith("/say")) {
			const { author, text, bot } = await request.json<Message & { bot: string }>();
			await new Room(env.MESSAGES, author).post(text);
			if (bot) await hear(env, bot, { author, text });
			return Response.json(await new Room(env.MESSAGES, author).history());
		}
		if (pathname.endsWith("/messages")) return Response.json(await new Room(env.MESSAGES, "").history());
		return new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
	},
} satisfies ExportedHandler<Env>;

// hear has a bot hear a message: its code runs in a worker of its own, which has
// nothing but the room that it is given.
async function hear(env: Env, bot: string, message: Message): Promise<void> {
	const worker = env.LOADER.load({
		compatibilityDate: "2026-11-01",
		mainModule: "bot.js",
		modules: { "bot.js": bot },
		globalOutbound: null,
		limits: { cpuMs: 50, subRequests: 20 },
	});
	try {
		const entrypoint = worker.getEntrypoint() as unknown as Bot;
		await entrypoint.hear(new Room(env.MESSAGES, "bot"), message);
	} catch (error) {
		await new Room(env.MESSAGES, "the bot failed").post(String(error));
	}
}
