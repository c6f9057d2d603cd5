// node:async_hooks
import { AsyncLocalStorage, AsyncResource, executionAsyncId, executionAsyncResource, triggerAsyncId } from "mayfly:async-context";

export const createHook = () => {
  const hook = { enable: () => hook, disable: () => hook };
  return hook;
};
export const asyncWrapProviders = Object.freeze({ __proto__: null });
export { AsyncLocalStorage, AsyncResource, executionAsyncId, executionAsyncResource, triggerAsyncId };
export default { AsyncLocalStorage, AsyncResource, asyncWrapProviders, createHook, executionAsyncId, executionAsyncResource, triggerAsyncId };
