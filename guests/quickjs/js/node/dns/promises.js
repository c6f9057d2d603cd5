// node:dns/promises
import { isIP } from "node:net";
import { refusal } from "mayfly:unavailable";

const why = "an isolate has no sockets; fetch resolves names";
const refuse = (name) => ({ [name]: async () => { throw refusal(`dns.${name}`, why); } })[name];

// lookup knows addresses and this machine.
export async function lookup(hostname, options = {}) {
  const address = hostname === "localhost" ? "127.0.0.1" : `${hostname}`;
  const family = isIP(address);
  if (family === 0) throw Object.assign(refusal("dns.lookup", why), { code: "ENOTFOUND", errno: -3008, syscall: "getaddrinfo", hostname });
  return options?.all ? [{ address, family }] : { address, family };
}
const names = [
  "lookupService", "resolve", "resolve4", "resolve6", "resolveAny", "resolveCaa", "resolveCname", "resolveMx", "resolveNaptr", "resolveNs", "resolvePtr", "resolveSoa",
  "resolveSrv", "resolveTxt", "reverse",
];
const refused = Object.fromEntries(names.map((name) => [name, refuse(name)]));
export const {
  lookupService, resolve, resolve4, resolve6, resolveAny, resolveCaa, resolveCname, resolveMx, resolveNaptr, resolveNs, resolvePtr, resolveSoa, resolveSrv, resolveTxt, reverse,
} = refused;
export class Resolver {}
Object.assign(Resolver.prototype, refused);
export const ADDRCONFIG = 32, ALL = 16, V4MAPPED = 8, NODATA = "ENODATA", NOTFOUND = "ENOTFOUND", SERVFAIL = "ESERVFAIL";
export const getServers = () => [];
export const setServers = () => {};
export const getDefaultResultOrder = () => "verbatim";
export const setDefaultResultOrder = () => {};
export default { ...refused, ADDRCONFIG, ALL, NODATA, NOTFOUND, Resolver, SERVFAIL, V4MAPPED, getDefaultResultOrder, getServers, lookup, setDefaultResultOrder, setServers };
