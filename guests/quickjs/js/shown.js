// How objects of the platform's classes are shown: as node shows its own.
import { Object } from "mayfly:intrinsics";
import { customInspect } from "mayfly:inspect";
import { AbortController, AbortSignal } from "mayfly:abort";
import { Event } from "mayfly:event";
import { Performance } from "mayfly:performance";
import { Crypto, SubtleCrypto } from "mayfly:crypto";
import { ObjectDefineProperty } from "mayfly:primordials";

const { Headers, Request, Response, URL, URLSearchParams } = globalThis;

// describe gives a class a function that makes the object to show in its place.
function describe(constructor, make) {
  const name = constructor.name;
  ObjectDefineProperty(constructor.prototype, customInspect, {
    __proto__: null, writable: true, configurable: true, enumerable: false,
    value(depth, options, inspect) {
      // The prototype itself has no state to show.
      if (this === constructor.prototype) return `Object [${name}] {}`;
      const title = this.constructor?.name ?? name;
      if (depth < 0) return options.stylize(`[${title}]`, "special");
      return `${title} ${inspect(make(this), { ...options, depth: options.depth === null ? null : options.depth - 1 })}`;
    },
  });
}

describe(Headers, (headers) => {
  const shown = {};
  for (const [name, value] of headers) {
    if (!Object.hasOwn(shown, name)) shown[name] = value;
    else if (typeof shown[name] === "string") shown[name] = [shown[name], value];
    else shown[name].push(value);
  }
  return shown;
});
describe(Request, (r) => ({ method: r.method, url: r.url, headers: r.headers, bodyUsed: r.bodyUsed, redirect: r.redirect, signal: r.signal }));
describe(Response, (r) => ({
  status: r.status, statusText: r.statusText, headers: r.headers, body: r.body, bodyUsed: r.bodyUsed, ok: r.ok, redirected: r.redirected, type: r.type, url: r.url,
}));
describe(URL, (u) => ({
  href: u.href, origin: u.origin, protocol: u.protocol, username: u.username, password: u.password, host: u.host, hostname: u.hostname, port: u.port,
  pathname: u.pathname, search: u.search, searchParams: u.searchParams, hash: u.hash,
}));
ObjectDefineProperty(URLSearchParams.prototype, customInspect, {
  __proto__: null, writable: true, configurable: true, enumerable: false,
  value(depth, options, inspect) {
    if (this === URLSearchParams.prototype) return "Object [URLSearchParams] {}";
    if (depth < 0) return options.stylize("[URLSearchParams]", "special");
    const pairs = [];
    for (const [name, value] of this) pairs.push(`${inspect(name, options)} => ${inspect(value, options)}`);
    if (pairs.length === 0) return "URLSearchParams {}";
    const line = `URLSearchParams { ${pairs.join(", ")} }`;
    return line.length <= options.breakLength ? line : `URLSearchParams {\n  ${pairs.join(",\n  ")} }`;
  },
});
describe(Event, (e) => ({
  type: e.type, defaultPrevented: e.defaultPrevented, cancelable: e.cancelable, timeStamp: e.timeStamp,
}));
describe(AbortSignal, (s) => ({ aborted: s.aborted }));
describe(AbortController, (c) => ({ signal: c.signal }));
describe(Performance, (p) => ({ timeOrigin: p.timeOrigin }));
describe(Crypto, () => ({}));
describe(SubtleCrypto, () => ({}));
