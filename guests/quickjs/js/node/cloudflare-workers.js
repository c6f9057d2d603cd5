// The module cloudflare:workers.
import { Fetcher as ServiceStub, RpcPromise, RpcProperty, RpcStub, RpcTarget } from "mayfly:rpc";
import { currentEvent, waitUntil as waitFor } from "mayfly:worker";
import { env, exports, withEnv, withEnvAndExports, withExports } from "mayfly:worker-env";
import { DurableObject, WorkerEntrypoint, WorkflowEntrypoint } from "mayfly:worker-entrypoint";
import { PromiseResolve } from "mayfly:primordials";

// Every operation that is under way keeps an execution from ending.
function waitUntil(promise) {
  const event = currentEvent();
  if (event === undefined) PromiseResolve(promise);
  else waitFor(event, promise);
}

export { DurableObject, RpcPromise, RpcProperty, RpcStub, RpcTarget, ServiceStub, WorkerEntrypoint, WorkflowEntrypoint, env, exports, waitUntil, withEnv, withEnvAndExports, withExports };
export default { DurableObject, RpcPromise, RpcProperty, RpcStub, RpcTarget, ServiceStub, WorkerEntrypoint, WorkflowEntrypoint, env, exports, waitUntil, withEnv, withEnvAndExports, withExports };
