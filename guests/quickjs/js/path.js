// Paths as node:path has them: posix, and win32 for programs that handle names
// of Windows without being there (its resolve() starts at C:\, there being no
// current drive).
import { cwd } from "mayfly:run";
import { invalidArgType } from "mayfly:node-errors";
import {
  ArrayPrototypeJoin, ArrayPrototypePush, StringPrototypeCharCodeAt, StringPrototypeEndsWith, StringPrototypeIndexOf, StringPrototypeLastIndexOf,
  StringPrototypeSlice, StringPrototypeToLowerCase,
} from "mayfly:primordials";

const SLASH = 47;
const BACKSLASH = 92;
const DOT = 46;
const COLON = 58;

const at = StringPrototypeCharCodeAt;
const cut = StringPrototypeSlice;

function requireString(value, name) {
  if (typeof value !== "string") throw invalidArgType(name, "of type string", value);
}

// segments resolves "." and ".." among the parts of a path. Above the top, ".."
// is kept where the path is relative.
function segments(path, isSeparator, separator, absolute) {
  const kept = [];
  let from = 0;
  for (let i = 0; i <= path.length; i++) {
    if (i < path.length && !isSeparator(at(path, i))) continue;
    const part = cut(path, from, i);
    from = i + 1;
    if (part === "" || part === ".") continue;
    if (part !== "..") {
      ArrayPrototypePush(kept, part);
    } else if (kept.length > 0 && kept[kept.length - 1] !== "..") {
      kept.length--;
    } else if (!absolute) {
      ArrayPrototypePush(kept, part);
    }
  }
  return ArrayPrototypeJoin(kept, separator);
}

// What both flavours do to the part of a path behind its root.

function basenameOf(path, root, isSeparator, suffix) {
  if (suffix !== undefined) requireString(suffix, "suffix");
  let end = path.length;
  while (end > root && isSeparator(at(path, end - 1))) end--;
  let begin = end;
  while (begin > root && !isSeparator(at(path, begin - 1))) begin--;
  if (suffix !== undefined && suffix !== "" && suffix.length <= path.length) {
    if (suffix === path) return "";
    const n = end - begin;
    let same = 0;
    while (same < n && same < suffix.length && at(path, end - 1 - same) === at(suffix, suffix.length - 1 - same)) same++;
    if (same === suffix.length) return cut(path, begin, same === n ? end : end - same);
    // node keeps what follows a name that ends the suffix.
    if (same === n) return cut(path, begin);
  }
  return cut(path, begin, end);
}

function extensionOf(name) {
  if (name === "..") return "";
  const dot = StringPrototypeLastIndexOf(name, ".");
  return dot > 0 ? cut(name, dot) : "";
}

function formatWith(separator, object) {
  if (object === null || typeof object !== "object") throw invalidArgType("pathObject", "of type object", object);
  const directory = object.dir || object.root;
  const { ext } = object;
  const base = object.base || `${object.name || ""}${ext ? (ext[0] === "." ? ext : `.${ext}`) : ""}`;
  if (!directory) return base;
  return directory === object.root ? `${directory}${base}` : `${directory}${separator}${base}`;
}

function parseWith(path, root, isSeparator, directory) {
  const base = basenameOf(path, root, isSeparator);
  const ext = extensionOf(base);
  return { root: cut(path, 0, root), dir: directory, base, ext, name: ext === "" ? base : cut(base, 0, base.length - ext.length) };
}

// ---- posix

const isSlash = (c) => c === SLASH;

export const posix = {
  sep: "/",
  delimiter: ":",
  resolve(...args) {
    let path = "";
    for (let i = args.length - 1; i >= -1; i--) {
      const part = i >= 0 ? args[i] : cwd();
      requireString(part, `paths[${i}]`);
      if (part === "") continue;
      path = path === "" ? part : `${part}/${path}`;
      if (at(part, 0) === SLASH) break;
    }
    const absolute = at(path, 0) === SLASH;
    path = segments(path, isSlash, "/", absolute);
    return absolute ? `/${path}` : path || ".";
  },
  normalize(path) {
    requireString(path, "path");
    if (path === "") return ".";
    const absolute = at(path, 0) === SLASH;
    const trailing = at(path, path.length - 1) === SLASH;
    let normal = segments(path, isSlash, "/", absolute);
    if (normal === "") return absolute ? "/" : trailing ? "./" : ".";
    if (trailing) normal += "/";
    return absolute ? `/${normal}` : normal;
  },
  isAbsolute(path) {
    requireString(path, "path");
    return at(path, 0) === SLASH;
  },
  join(...args) {
    let joined;
    for (let i = 0; i < args.length; i++) {
      const part = args[i];
      requireString(part, "path");
      if (part !== "") joined = joined === undefined ? part : `${joined}/${part}`;
    }
    return joined === undefined ? "." : posix.normalize(joined);
  },
  relative(from, to) {
    requireString(from, "from");
    requireString(to, "to");
    if (from === to) return "";
    from = posix.resolve(from);
    to = posix.resolve(to);
    return from === to ? "" : relativeBetween(from, to, 1, "/", (c) => c);
  },
  toNamespacedPath(path) { return path; },
  dirname(path) {
    requireString(path, "path");
    if (path === "") return ".";
    let end = path.length;
    while (end > 1 && at(path, end - 1) === SLASH) end--;
    while (end > 1 && at(path, end - 1) !== SLASH) end--;
    // At the slash before the name, if there is one behind the first place.
    if (end <= 1) return at(path, 0) === SLASH ? "/" : ".";
    return end === 2 && at(path, 0) === SLASH ? "//" : cut(path, 0, end - 1);
  },
  basename(path, suffix = undefined) {
    requireString(path, "path");
    return basenameOf(path, 0, isSlash, suffix);
  },
  extname(path) {
    requireString(path, "path");
    return extensionOf(basenameOf(path, 0, isSlash));
  },
  format: (object) => formatWith("/", object),
  parse(path) {
    requireString(path, "path");
    if (path === "") return { root: "", dir: "", base: "", ext: "", name: "" };
    const root = at(path, 0) === SLASH ? 1 : 0;
    const base = basenameOf(path, 0, isSlash);
    let end = path.length;
    while (end > 0 && at(path, end - 1) === SLASH) end--;
    const begin = end - base.length;
    const directory = begin > root ? cut(path, 0, begin - 1) : cut(path, 0, root);
    const parsed = { ...parseWith(path, root, isSlash, directory), base };
    // A quirk that programs may have come to see: the name of "/.." is split.
    if (root === 1 && begin === 1 && base === "..") parsed.name = parsed.ext = ".";
    return parsed;
  },
};

// relativeBetween goes from one normal absolute path to another: up to what
// they share, then down. Both begin with a root of the given length.
function relativeBetween(from, to, root, separator, fold) {
  const a = parts(from, root, separator);
  const b = parts(to, root, separator);
  let shared = 0;
  while (shared < a.length && shared < b.length && fold(a[shared]) === fold(b[shared])) shared++;
  const path = [];
  for (let i = shared; i < a.length; i++) ArrayPrototypePush(path, "..");
  for (let i = shared; i < b.length; i++) ArrayPrototypePush(path, b[i]);
  return ArrayPrototypeJoin(path, separator);
}

function parts(path, from, separator) {
  const list = [];
  for (;;) {
    const end = StringPrototypeIndexOf(path, separator, from);
    const part = cut(path, from, end < 0 ? path.length : end);
    if (part !== "") ArrayPrototypePush(list, part);
    if (end < 0) return list;
    from = end + 1;
  }
}

// ---- win32

const isEither = (c) => c === SLASH || c === BACKSLASH;
const isLetter = (c) => (c >= 65 && c <= 90) || (c >= 97 && c <= 122);

// rootOf answers the device ("C:", "\\server\share", or empty), whether the
// path is absolute, and how long its root is.
function rootOf(path) {
  const first = at(path, 0);
  if (isEither(first)) {
    if (isEither(at(path, 1))) {
      let i = 2;
      while (i < path.length && !isEither(at(path, i))) i++;
      const server = cut(path, 2, i);
      let j = i;
      while (j < path.length && isEither(at(path, j))) j++;
      let k = j;
      while (k < path.length && !isEither(at(path, k))) k++;
      if (server !== "" && j > i && k > j) {
        const more = k < path.length ? 1 : 0;
        return { device: `\\\\${server}\\${cut(path, j, k)}`, absolute: true, length: k + more, share: true };
      }
    }
    return { device: "", absolute: true, length: 1, share: false };
  }
  if (isLetter(first) && at(path, 1) === COLON) {
    const absolute = path.length > 2 && isEither(at(path, 2));
    return { device: cut(path, 0, 2), absolute, length: absolute ? 3 : 2, share: false };
  }
  return { device: "", absolute: false, length: 0, share: false };
}

function looksLikeDevice(path, tail) {
  if (isLetter(at(tail, 0)) && at(tail, 1) === COLON) return true;
  for (let i = StringPrototypeIndexOf(path, ":"); i >= 0; i = StringPrototypeIndexOf(path, ":", i + 1)) {
    if (i === path.length - 1 || isEither(at(path, i + 1))) return true;
  }
  return false;
}

export const win32 = {
  sep: "\\",
  delimiter: ";",
  resolve(...args) {
    let device = "";
    let tail = "";
    let absolute = false;
    for (let i = args.length - 1; i >= -1; i--) {
      let path;
      if (i >= 0) {
        path = args[i];
        requireString(path, `paths[${i}]`);
        if (path === "") continue;
      } else {
        path = device === "" ? "C:\\" : `${device}\\`;
      }
      const root = rootOf(path);
      if (root.device !== "") {
        if (device === "") device = root.device;
        else if (StringPrototypeToLowerCase(device) !== StringPrototypeToLowerCase(root.device)) continue;
      }
      if (!absolute) {
        tail = `${cut(path, root.length)}\\${tail}`;
        absolute = root.absolute;
      }
      if (absolute && device !== "") break;
    }
    tail = segments(tail, isEither, "\\", absolute);
    return absolute ? `${device}\\${tail}` : `${device}${tail}` || ".";
  },
  normalize(path) {
    requireString(path, "path");
    if (path === "") return ".";
    let root = rootOf(path);
    // \\.\ and \\?\ are roots of devices, not servers.
    if (root.share && (path[2] === "." || path[2] === "?") && isEither(at(path, 3))) root = { device: `\\\\${path[2]}`, absolute: true, length: 4, share: true };
    let tail = segments(cut(path, root.length), isEither, "\\", root.absolute);
    if (tail === "" && !root.absolute) tail = ".";
    if (tail !== "" && isEither(at(path, path.length - 1)) && root.length < path.length) tail += "\\";
    // What was no device must not come out as one.
    if (!root.absolute && root.device === "" && looksLikeDevice(path, tail)) return `.\\${tail}`;
    return `${root.device}${root.absolute ? "\\" : ""}${tail}`;
  },
  isAbsolute(path) {
    requireString(path, "path");
    return rootOf(path).absolute;
  },
  join(...args) {
    let joined;
    let first;
    for (let i = 0; i < args.length; i++) {
      const part = args[i];
      requireString(part, "path");
      if (part === "") continue;
      if (joined === undefined) joined = first = part;
      else joined += `\\${part}`;
    }
    if (joined === undefined) return ".";
    // Two slashes that come from joining are no share; those that the first
    // part had are.
    let slashes = 0;
    while (slashes < joined.length && isEither(at(joined, slashes))) slashes++;
    const share = isEither(at(first, 0)) && first.length > 1 && isEither(at(first, 1)) && (first.length === 2 || !isEither(at(first, 2)));
    if (slashes >= 2 && !share) joined = `\\${cut(joined, slashes)}`;
    return win32.normalize(joined);
  },
  relative(from, to) {
    requireString(from, "from");
    requireString(to, "to");
    if (from === to) return "";
    from = win32.resolve(from);
    to = win32.resolve(to);
    const fold = StringPrototypeToLowerCase;
    if (fold(from) === fold(to)) return "";
    const a = rootOf(from);
    const b = rootOf(to);
    if (fold(a.device) !== fold(b.device)) return to;
    const path = relativeBetween(from, to, a.device.length + 1, "\\", fold);
    return path;
  },
  toNamespacedPath(path) {
    if (typeof path !== "string" || path === "") return path;
    const resolved = win32.resolve(path);
    if (resolved.length <= 2) return path;
    if (at(resolved, 0) === BACKSLASH) {
      if (at(resolved, 1) !== BACKSLASH) return path;
      const c = at(resolved, 2);
      return c !== 63 && c !== DOT ? `\\\\?\\UNC\\${cut(resolved, 2)}` : path;
    }
    return isLetter(at(resolved, 0)) && at(resolved, 1) === COLON && at(resolved, 2) === BACKSLASH ? `\\\\?\\${resolved}` : path;
  },
  dirname(path) {
    requireString(path, "path");
    if (path === "") return ".";
    const root = rootOf(path).length;
    let end = path.length;
    while (end > root && isEither(at(path, end - 1))) end--;
    while (end > root && !isEither(at(path, end - 1))) end--;
    if (end > root) end--;
    return end === 0 ? "." : cut(path, 0, end);
  },
  basename(path, suffix = undefined) {
    requireString(path, "path");
    const drive = isLetter(at(path, 0)) && at(path, 1) === COLON ? 2 : 0;
    return basenameOf(path, drive, isEither, suffix);
  },
  extname(path) {
    requireString(path, "path");
    return extensionOf(win32.basename(path));
  },
  format: (object) => formatWith("\\", object),
  parse(path) {
    requireString(path, "path");
    if (path === "") return { root: "", dir: "", base: "", ext: "", name: "" };
    const root = rootOf(path).length;
    let end = path.length;
    while (end > root && isEither(at(path, end - 1))) end--;
    const base = basenameOf(path, root, isEither);
    const begin = end - base.length;
    return parseWith(path, root, isEither, begin > root ? cut(path, 0, begin - 1) : cut(path, 0, root));
  },
};

for (const flavour of [posix, win32]) {
  flavour.posix = posix;
  flavour.win32 = win32;
}
