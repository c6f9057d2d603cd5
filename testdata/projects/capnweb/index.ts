import { RpcTarget, newHttpBatchRpcSession, newWebSocketRpcSession, newWorkersRpcResponse } from "capnweb";
import { WorkerEntrypoint } from "cloudflare:workers";

class Counter extends RpcTarget {
	#n: number;
	constructor(n: number) { super(); this.#n = n; }
	add(k = 1) { return (this.#n += k); }
	get value() { return this.#n; }
}

// What the worker offers over the runtime's own RPC.
export class Inner extends WorkerEntrypoint {
	double(n: number) { return n * 2; }
	counter(n: number) { return new Counter(n); }
}

class Api extends RpcTarget {
	#env: any;
	constructor(env: any) { super(); this.#env = env; }
	greet(name: string) { return `hello ${name}`; }
	echo(value: any) { return value; }
	counter(n = 0) { return new Counter(n); }
	users() { return [{ id: 1 }, { id: 2 }]; }
	name(id: number) { return `user ${id}`; }
	fail() { throw new RangeError("on purpose"); }
	async call(f: any, n: number) { return (await f(n)) + 1; }
	// A stub of the runtime, which capnweb passes on.
	inner() { return this.#env.INNER.counter(40); }
	async double(n: number) { return await this.#env.INNER.double(n); }
	// The worker as a client of another server.
	async batch(url: string) {
		const api: any = newHttpBatchRpcSession(url);
		const counter = api.counter(5);
		return await Promise.all([api.greet("from the worker"), counter.add(1), counter.add(2)]);
	}
	async socket(url: string) {
		using api: any = newWebSocketRpcSession(url);
		using counter = await api.counter(5);
		return [await api.greet("by socket"), await counter.add(1), await api.call((n: number) => n * 10, 4)];
	}
}

export default { fetch: (request: Request, env: any) => newWorkersRpcResponse(request, new Api(env)) };
