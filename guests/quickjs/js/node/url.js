// node:url: paths of file URLs; the legacy parser is of the package unenv (MIT:
// node's own).
import { fileURLToPath, pathToFileURL } from "mayfly:file-url";
import { Url, format as formatLegacy } from "mayfly:npm/unenv/dist/runtime/node/url.mjs";
import punycode from "mayfly:npm/unenv/dist/runtime/node/punycode.mjs";

const { URL, URLPattern, URLSearchParams } = globalThis;

// urlToHttpOptions answers what node's http takes.
export function urlToHttpOptions(url) {
  const { protocol, hostname, hash, search, pathname, href, port, username, password } = url;
  const options = {
    __proto__: null, ...url, protocol, hostname: hostname.startsWith("[") ? hostname.slice(1, -1) : hostname, hash, search, pathname,
    path: `${pathname || ""}${search || ""}`, href,
  };
  if (port !== "") options.port = Number(port);
  if (username || password) options.auth = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return options;
}

// The package's own parse warns that it is old, which node's does not.
export function parse(url, parseQuery = false, slashesDenoteHost = false) {
  if (url instanceof Url) return url;
  const parsed = new Url();
  parsed.parse(url, parseQuery, slashesDenoteHost);
  return parsed;
}
export const resolve = (from, to) => parse(from, false, true).resolveObject(parse(to, false, true)).format();
export const resolveObject = (from, to) => (from ? parse(from, false, true).resolveObject(parse(to, false, true)) : to);

export function format(url, options = undefined) {
  if (!(url instanceof URL)) return formatLegacy(typeof url === "string" ? parse(url) : url);
  const { fragment = true, unicode = false, search = true, auth = true } = options ?? {};
  const copy = new URL(url);
  if (!fragment) copy.hash = "";
  if (!search) copy.search = "";
  if (!auth) copy.username = copy.password = "";
  return unicode ? copy.href.replace(copy.hostname, punycode.toUnicode(copy.hostname)) : copy.href;
}

export function domainToASCII(domain) {
  try {
    return new URL(`ws://${domain}`).hostname;
  } catch {
    return "";
  }
}
export const domainToUnicode = (domain) => punycode.toUnicode(domainToASCII(domain));

export { URL, URLPattern, URLSearchParams, Url, fileURLToPath, pathToFileURL };
export default {
  URL, URLPattern, URLSearchParams, Url, domainToASCII, domainToUnicode, fileURLToPath, format, parse, pathToFileURL, resolve, resolveObject, urlToHttpOptions,
};
