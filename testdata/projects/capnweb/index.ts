import { RpcTarget, newHttpBatchRpcSession, newWorkersRpcResponse } from "capnweb";

class Api extends RpcTarget {
	greet(name: string) { return `hello ${name}`; }
	counter() { return new Counter(); }
}
class Counter extends RpcTarget {
	#n = 0;
	add(k: number) { return (this.#n += k); }
}
export { newHttpBatchRpcSession };
export default { fetch: (request: Request) => newWorkersRpcResponse(request, new Api()) };
