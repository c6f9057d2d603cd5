// node:dns: names are resolved by the host, when it fetches; here only what
// needs no asking.
import * as promises from "node:dns/promises";
import { isIP } from "node:net";
import { process } from "mayfly:process";

const { lookup: lookupPromise } = promises;

function withCallback(name) {
  return { [name]: (...args) => {
    const callback = args.pop();
    promises[name](...args).then((value) => process.nextTick(callback, null, value), (error) => process.nextTick(callback, error));
  } }[name];
}
export function lookup(hostname, options, callback = undefined) {
  if (typeof options === "function") [options, callback] = [{}, options];
  lookupPromise(hostname, options).then(
    (found) => process.nextTick(callback, null, ...(Array.isArray(found) ? [found] : [found.address, found.family])),
    (error) => process.nextTick(callback, error));
}
export const [
  lookupService, resolve, resolve4, resolve6, resolveAny, resolveCaa, resolveCname, resolveMx, resolveNaptr, resolveNs, resolvePtr, resolveSoa, resolveSrv, resolveTxt, reverse,
] = [
  "lookupService", "resolve", "resolve4", "resolve6", "resolveAny", "resolveCaa", "resolveCname", "resolveMx", "resolveNaptr", "resolveNs", "resolvePtr", "resolveSoa",
  "resolveSrv", "resolveTxt", "reverse",
].map(withCallback);
export const { ADDRCONFIG, ALL, NODATA, NOTFOUND, Resolver, SERVFAIL, V4MAPPED, getDefaultResultOrder, getServers, setDefaultResultOrder, setServers } = promises;
export { promises };
export default {
  ...promises.default, isIP, lookup, lookupService, promises, resolve, resolve4, resolve6, resolveAny, resolveCaa, resolveCname, resolveMx, resolveNaptr, resolveNs, resolvePtr,
  resolveSoa, resolveSrv, resolveTxt, reverse,
};
