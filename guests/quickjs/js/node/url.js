// node:url. Missing on purpose: the legacy parse(), resolve() and format() of
// strings; use URL.
import { fileURLToPath, pathToFileURL } from "mayfly:file-url";

const { URL, URLSearchParams } = globalThis;

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

export { URL, URLSearchParams, fileURLToPath, pathToFileURL };
export default { URL, URLSearchParams, fileURLToPath, pathToFileURL, urlToHttpOptions };
