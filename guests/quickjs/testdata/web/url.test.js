// URL and URLSearchParams, after https://url.spec.whatwg.org/#api
import { anInterface, check, done, same, throws } from "./check.js";

const typeError = { name: "TypeError" };
const parts = ["protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"];
anInterface(URL, "URL", { length: 1, attributes: ["href", "origin", "searchParams", ...parts], methods: { toString: 0, toJSON: 0 }, statics: { parse: 1, canParse: 1 } });
anInterface(URLSearchParams, "URLSearchParams", { attributes: ["size"], methods: { append: 2, delete: 1, get: 1, getAll: 1, has: 1, set: 2, sort: 0, toString: 0, entries: 0, forEach: 1, keys: 0, values: 0 } });

const read = (u) => parts.map((p) => u[p]);
for (const [input, base, href, origin, ...rest] of [
  ["https://user:pa%20ss@EXample.com:8080/a/../b?q=1#h", , "https://user:pa%20ss@example.com:8080/b?q=1#h", "https://example.com:8080", "https:", "user", "pa%20ss", "example.com:8080", "example.com", "8080", "/b", "?q=1", "#h"],
  ["http://a:80/", , "http://a/", "http://a", "http:", "", "", "a", "a", "", "/", "", ""],
  ["../x?y", "https://h/a/b/c", "https://h/a/x?y", "https://h", "https:", "", "", "h", "h", "", "/a/x", "?y", ""],
  ["//o/p", "http://h/a", "http://o/p", "http://o", "http:", "", "", "o", "o", "", "/p", "", ""],
  ["mailto:a@b.c", , "mailto:a@b.c", "null", "mailto:", "", "", "", "", "", "a@b.c", "", ""],
  ["blob:https://a.b/c-d", , "blob:https://a.b/c-d", "https://a.b", "blob:", "", "", "", "", "", "https://a.b/c-d", "", ""],
  ["blob:ftp://a/", , "blob:ftp://a/", "null", "blob:", "", "", "", "", "", "ftp://a/", "", ""],
  ["file:///c:/x/../y", , "file:///c:/y", "null", "file:", "", "", "", "", "", "/c:/y", "", ""],
  ["http://[::1]:3/", , "http://[::1]:3/", "http://[::1]:3", "http:", "", "", "[::1]:3", "[::1]", "3", "/", "", ""],
  ["http://0x7f.1/", , "http://127.0.0.1/", "http://127.0.0.1", "http:", "", "", "127.0.0.1", "127.0.0.1", "", "/", "", ""],
  ["http://faß.ExAmPlE/", , "http://xn--fa-hia.example/", "http://xn--fa-hia.example", "http:", "", "", "xn--fa-hia.example", "xn--fa-hia.example", "", "/", "", ""],
  ["non-special://h:1/p?#", , "non-special://h:1/p?#", "null", "non-special:", "", "", "h:1", "h", "1", "/p", "", ""],
  ["web+demo:/.//not-a-host/", , "web+demo:/.//not-a-host/", "null", "web+demo:", "", "", "", "", "", "//not-a-host/", "", ""],
  ["  http://x/\ty\n ", , "http://x/y", "http://x", "http:", "", "", "x", "x", "", "/y", "", ""],
  ["http://u@h/", , "http://u@h/", "http://h", "http:", "u", "", "h", "h", "", "/", "", ""],
  ["http://:p@h/", , "http://:p@h/", "http://h", "http:", "", "p", "h", "h", "", "/", "", ""],
  ["http://h/é\ud800?ü#ö", , "http://h/%C3%A9%EF%BF%BD?%C3%BC#%C3%B6", "http://h", "http:", "", "", "h", "h", "", "/%C3%A9%EF%BF%BD", "?%C3%BC", "#%C3%B6"],
]) {
  const u = base === undefined ? new URL(input) : new URL(input, base);
  same([u.href, u.origin, ...read(u)], [href, origin, ...rest], input);
  same([`${u}`, u.toJSON(), new URL(u).href], [href, href, href]);
}
for (const bad of ["", "x", "//h", "http://", "http://a b/", "http://[::1", "http://a:99999/", "http://%00/", "https://x:x", "http://1.2.3.4.5.6.7.256"]) {
  throws(() => new URL(bad), typeError, `new URL(${bad})`);
  same([URL.canParse(bad), URL.parse(bad)], [false, null]);
}
throws(() => new URL(), typeError);
throws(() => new URL("x", "y"), typeError);
throws(() => new URL(Symbol()), typeError);
same([URL.canParse("x", "http://y"), URL.parse("x", "http://y").href, URL.canParse("a:b", undefined)], [true, "http://y/x", true]);
throws(() => URL.canParse(), typeError);
throws(() => URL.parse(), typeError);
class Sub extends URL { }
check(new Sub("a:b") instanceof Sub);
check(!(Sub.parse("a:b") instanceof Sub));
same(JSON.stringify({ u: new URL("a:b") }), '{"u":"a:b"}');

// Setters.
for (const [from, name, value, href] of [
  ["http://h/p?q#f", "protocol", "https", "https://h/p?q#f"],
  ["http://h/p?q#f", "protocol", "mailto", "http://h/p?q#f"],
  ["http://h/", "username", "a b", "http://a%20b@h/"],
  ["http://h/", "password", "a:b", "http://:a%3Ab@h/"],
  ["http://u:p@h/", "password", "", "http://u@h/"],
  ["http://h:1/", "host", "x:2", "http://x:2/"],
  ["http://h:1/", "hostname", "x", "http://x:1/"],
  ["http://h:1/", "hostname", "x:9", "http://h:1/"],
  ["http://h:1/", "port", "80", "http://h/"],
  ["http://h:1/", "port", "9x", "http://h:9/"],
  ["http://h:1/", "port", "x", "http://h:1/"],
  ["http://h/p?q", "pathname", "a b?c", "http://h/a%20b%3Fc?q"],
  ["mailto:x", "pathname", "/y", "mailto:x"],
  ["http://h/p?q#f", "search", "x y", "http://h/p?x%20y#f"],
  ["http://h/p?q#f", "search", "", "http://h/p#f"],
  ["http://h/p?q#f", "hash", "g", "http://h/p?q#g"],
  ["http://h/p?q#f", "hash", "", "http://h/p?q"],
  ["http://h/p?q#f", "href", "a:b", "a:b"],
]) {
  const u = new URL(from);
  u[name] = value;
  same(u.href, href, `${name} = ${value}`);
}
const kept = new URL("http://h/");
throws(() => { kept.href = "no"; }, typeError);
same(kept.href, "http://h/");
throws(() => { "use strict"; kept.origin = "x"; }, typeError);

// The link between a URL and its parameters.
const url = new URL("http://h/?a=1&b=2#f");
const params = url.searchParams;
check(params === url.searchParams);
params.append("c", "é &=+%");
same([url.href, url.search], ["http://h/?a=1&b=2&c=%C3%A9+%26%3D%2B%25#f", "?a=1&b=2&c=%C3%A9+%26%3D%2B%25"]);
params.delete("a");
params.set("b", "3");
url.pathname = "/p";
same(url.href, "http://h/p?b=3&c=%C3%A9+%26%3D%2B%25#f");
params.sort();
params.delete("b");
params.delete("c");
same([url.href, url.search], ["http://h/p#f", ""]);
url.search = "?x=%20+y&x";
same([...params], [["x", "  y"], ["x", ""]]);
url.href = "http://o/?z";
same([params.toString(), params.size], ["z=", 1]);
url.hash = "k";
params.append("z", "2");
same(url.toString(), "http://o/?z=&z=2#k");
const opaque = new URL("data:space    ?q");
opaque.searchParams.delete("q");
check(!opaque.href.endsWith(" "), "an opaque path does not end in a space");
let orphan = new URL("http://h/?a=1").searchParams;
orphan.append("b", "2");
same(orphan.toString(), "a=1&b=2");
let owner = new URL("http://h/?a=1");
owner.self = owner.searchParams;
owner.searchParams.back = owner;
owner = null;

// URLSearchParams by itself.
for (const [init, text] of [
  [undefined, ""], [null, "null="], ["", ""], ["?a=b", "a=b"], ["a=b&a=c&&=&x", "a=b&a=c&=&x="], ["a=b=c", "a=b%3Dc"], ["%61+%zz=%", "a+%25zz=%25"],
  ["%EF%BB%BFt", "%EF%BB%BFt="], ["a=%FF", "a=%EF%BF%BD"], ["\ud83d\ude00=\ud800", "%F0%9F%98%80=%EF%BF%BD"], [{ b: 1, a: "x y" }, "b=1&a=x+y"],
  [[["a", "b"], new Set(["c", "d"])], "a=b&c=d"], [new URLSearchParams("q=1"), "q=1"], [new Map([[1, 2]]), "1=2"], [5, "5="], [{ "\ud800": 1, "\ufffd": 2 }, "%EF%BF%BD=2"],
  ["*-._~!'()", "*-._%7E%21%27%28%29="],
]) same(new URLSearchParams(init).toString(), text, `new URLSearchParams(${String(init)})`);
for (const bad of [[["a"]], [["a", "b", "c"]], [1], [[]], Symbol(), { [Symbol.iterator]: 1 }]) throws(() => new URLSearchParams(bad), typeError);
const p = new URLSearchParams("a=1&b=2&a=3");
same([p.get("a"), p.getAll("a"), p.get("x"), p.getAll("x"), p.has("a"), p.has("a", "3"), p.has("a", "2"), p.has("a", undefined), p.size], ["1", ["1", "3"], null, [], true, true, false, true, 3]);
p.delete("a", "1");
same(`${p}`, "b=2&a=3");
p.delete("a", undefined);
same(`${p}`, "b=2");
p.set("b", "9");
p.set("n", "\ud800");
same([...p], [["b", "9"], ["n", "\ufffd"]]);
for (const method of ["append", "delete", "get", "getAll", "has", "set"]) throws(() => p[method](), typeError);
for (const method of ["append", "set"]) throws(() => p[method]("a"), typeError);
throws(() => URLSearchParams.prototype.get.call(new Headers(), "a"), typeError);
const sorted = new URLSearchParams("z=b&a=b&z=a&a=a&\ufffd=1&\ud83c\udf08=2&");
sorted.sort();
same([...sorted.keys()], ["a", "a", "z", "z", "\ud83c\udf08", "\ufffd"]);
same([...sorted.values()].slice(0, 4), ["b", "a", "b", "a"]);
const live = new URLSearchParams("a=1&b=2&c=3");
const seen = [];
for (const [k] of live) {
  seen.push(k);
  live.delete(k);
}
same(seen, ["a", "c"]);
const it = p.entries();
same([Object.prototype.toString.call(it), it.next()], ["[object URLSearchParams Iterator]", { value: ["b", "9"], done: false }]);
const calls = [];
p.forEach(function (v, k, o) { calls.push([v, k, o === p, this === it]); }, it);
same(calls, [["9", "b", true, true], ["\ufffd", "n", true, true]]);
throws(() => p.forEach(1), typeError);
const changing = new URLSearchParams("a=1&b=2");
changing.append("c", { toString() { changing.delete("a"); changing.delete("b"); return "3"; } });
same(`${changing}`, "c=3");
check(!Object.keys(p).length && "size" in p);
done();
