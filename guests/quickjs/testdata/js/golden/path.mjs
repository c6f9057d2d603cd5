// node:path over every short path of a small alphabet, and over chosen ones:
// run by node for the golden. What is printed is a digest of many answers, and
// the answers for the chosen ones.
import path from "node:path";

const { posix, win32 } = path;

function answer(f) {
  try {
    return f();
  } catch (error) {
    return `${error.name} ${error.code}`;
  }
}

const show = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));

// A checksum that needs nothing of the platform.
function checksum(text, hash = 0x811c9dc5) {
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

function words(alphabet, length) {
  let list = [""];
  const all = [""];
  for (let i = 0; i < length; i++) {
    list = list.flatMap((w) => alphabet.map((a) => w + a));
    all.push(...list);
  }
  return all;
}

const unary = ["normalize", "isAbsolute", "dirname", "basename", "extname", "parse"];
function digest(name, flavour, list, absolute) {
  for (const method of unary) {
    let hash;
    for (const w of list) hash = checksum(`${w}>${show(flavour[method](w))}\n`, hash);
    console.log(name, method, list.length, hash);
  }
  const short = list.filter((w) => w.length <= 3);
  for (const [method, base] of [["join", ""], ["resolve", absolute], ["relative", absolute]]) {
    let hash;
    for (const a of short) {
      for (const b of short) {
        const first = method === "join" ? a : base + a;
        const second = method === "relative" ? base + b : b;
        hash = checksum(`${first}|${second}>${flavour[method](first, second)}\n`, hash);
      }
    }
    console.log(name, method, short.length ** 2, hash);
  }
  let hash;
  for (const w of list.filter((w) => w.length <= 4)) {
    for (const suffix of [".", "a", ".a", "/", "aa"]) hash = checksum(`${w}|${suffix}>${flavour.basename(w, suffix)}\n`, hash);
  }
  console.log(name, "basename with suffix", hash);
}
digest("posix", posix, words(["/", ".", "a"], 6), "/r/");
digest("win32", win32, words(["/", "\\", ".", "a", "C:"], 4), "C:\\r\\");

const chosen = [
  "", ".", "..", "/", "//", "///", "a", "a/", "/a", "/a/", "/a/b/../c", "a//b///c", "../../a", "/../a", "./a/./b", "a/../..", "a.b.c", ".bashrc", "a.", "a/.b.c",
  "..a", "...", "a/..b", "file.tar.gz", "/foo/bar/baz/asdf/quux.html", "with space/é.txt", "C:\\a\\b", "C:", "C:a", "C:/", "c:\\..\\a", "\\\\server\\share\\dir\\file.txt",
  "\\\\server\\share", "\\\\server\\share\\", "\\\\server", "//server/share/a", "\\", "\\a", "a\\b/c", "D:\\x\\.\\y\\..", "\\\\?\\C:\\a", "file:stream", "C:\\\\a\\\\b",
];
for (const [name, flavour] of [["posix", posix], ["win32", win32]]) {
  for (const w of chosen) console.log(name, JSON.stringify(w), unary.map((method) => show(answer(() => flavour[method](w)))).join(" | "));
}
for (const w of ["C:\\a", "C:\\a\\..\\b", "\\\\s\\h\\x", "\\\\?\\C:\\a", "", 5]) console.log(win32.toNamespacedPath(w), posix.toNamespacedPath(w));
console.log(posix.resolve("/a", "b", "../c", ""), posix.resolve("/a", "/b", "c"), posix.join("a", "", "b", "..", "/c"), posix.join(), posix.join(""));
console.log(win32.resolve("C:\\a", "b", "..\\c"), win32.resolve("C:\\a", "D:\\b", "C:c"), win32.resolve("C:\\", "\\\\s\\h\\x"), win32.join("a", "\\\\b"), win32.join("\\\\s", "h"));
console.log(posix.relative("/data/orandea/test/aaa", "/data/orandea/impl/bbb"), posix.relative("/a/b", "/a/b/c"), posix.relative("/a/bc", "/a/b"), posix.relative("/", "/a"));
console.log(win32.relative("C:\\orandea\\test\\aaa", "C:\\orandea\\impl\\bbb"), win32.relative("C:\\A\\b", "c:\\a\\C"), win32.relative("C:\\a", "D:\\b"), win32.relative("\\\\s\\h\\a", "\\\\s\\h\\b"));
for (const object of [
  { dir: "/a/b", base: "c.txt" }, { root: "/", base: "f", ext: "ignored" }, { root: "/", name: "n", ext: ".e" }, { name: "n", ext: "e" }, {}, { dir: "/", root: "/", base: "x" },
  { dir: "C:\\a", base: "b" }, { root: "C:\\", dir: "C:\\", base: "b" },
]) console.log(posix.format(object), win32.format(object));
for (const method of [...unary, "join", "resolve"]) {
  console.log(method, answer(() => posix[method](undefined)), answer(() => win32[method](5)));
}
console.log(answer(() => posix.format("x")), answer(() => posix.basename("a", 1)), answer(() => posix.relative("a")), answer(() => path.join(null)));
console.log(path.sep, path.delimiter, win32.sep, win32.delimiter, path.posix === posix, posix.win32 === win32, path === posix);
