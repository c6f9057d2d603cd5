// Paths of file: URLs, after node:url.
import { TypeError } from "mayfly:intrinsics";
import { coded, invalidArgType } from "mayfly:node-errors";
import { posix } from "mayfly:path";
import { StringPrototypeEndsWith, StringPrototypeReplaceAll, StringPrototypeCharCodeAt } from "mayfly:primordials";

const { URL, decodeURIComponent } = globalThis;

export function fileURLToPath(url) {
  if (typeof url === "string") url = new URL(url);
  else if (url === null || typeof url !== "object" || typeof url.href !== "string") throw invalidArgType("path", "of type string or an instance of URL", url);
  if (url.protocol !== "file:") throw coded(new TypeError("The URL must be of scheme file"), "ERR_INVALID_URL_SCHEME");
  if (url.hostname !== "") throw coded(new TypeError('File URL host must be "localhost" or empty on linux'), "ERR_INVALID_FILE_URL_HOST");
  const { pathname } = url;
  for (let i = 0; i < pathname.length; i++) {
    if (pathname[i] !== "%") continue;
    if (pathname[i + 1] === "2" && (StringPrototypeCharCodeAt(pathname, i + 2) | 32) === 102) {
      throw coded(new TypeError("File URL path must not include encoded / characters"), "ERR_INVALID_FILE_URL_PATH");
    }
  }
  return decodeURIComponent(pathname);
}

export function pathToFileURL(path) {
  if (typeof path !== "string") throw invalidArgType("path", "of type string", path);
  let resolved = posix.resolve(path);
  if (StringPrototypeEndsWith(path, "/") && resolved !== "/") resolved += "/";
  let escaped = StringPrototypeReplaceAll(resolved, "%", "%25");
  for (const [from, to] of escapes) escaped = StringPrototypeReplaceAll(escaped, from, to);
  return new URL(`file://${escaped}`);
}
const escapes = [["\\", "%5C"], ["\n", "%0A"], ["\r", "%0D"], ["\t", "%09"], ["?", "%3F"], ["#", "%23"]];
