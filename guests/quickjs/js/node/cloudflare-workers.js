// The module cloudflare:workers, as far as it is about bindings: the host
// resolves that name to this one.
import { env } from "mayfly:env";
import { RpcPromise, RpcProperty, RpcStub, RpcTarget } from "mayfly:rpc";
import { PromiseResolve } from "mayfly:primordials";

// Every operation that is under way keeps the execution from ending.
const waitUntil = (promise) => { PromiseResolve(promise); };

export { RpcPromise, RpcProperty, RpcStub, RpcTarget, env, waitUntil };
export default { RpcPromise, RpcProperty, RpcStub, RpcTarget, env, waitUntil };
