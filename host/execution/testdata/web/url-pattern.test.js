// URLPattern, after https://urlpattern.spec.whatwg.org.
import { anInterface, check, done, same, throws } from "./check.js";

const COMPONENTS = ["protocol", "username", "password", "hostname", "port", "pathname", "search", "hash"];
anInterface(URLPattern, "URLPattern", { attributes: [...COMPONENTS, "hasRegExpGroups"], methods: { test: 0, exec: 0 } });

// Each: constructor's arguments, then the input, then what matches: false, or
// components with [input, groups]; those not named are not looked at.
const cases = [
  [[{ pathname: "/foo/bar" }], [{ pathname: "/foo/bar" }], { pathname: ["/foo/bar", {}] }],
  [[{ pathname: "/foo/bar" }], [{ pathname: "/foo/ba" }], false],
  [[{ pathname: "/foo/bar" }], [{ pathname: "/foo/bar/" }], false],
  [[{ pathname: "/foo/bar" }], ["https://example.com/foo/bar"], { protocol: ["https", { 0: "https" }], hostname: ["example.com", { 0: "example.com" }], pathname: ["/foo/bar", {}] }],
  [[{ pathname: "/foo/bar" }], [{ hostname: "example.com", pathname: "/foo/bar" }], { hostname: ["example.com", { 0: "example.com" }] }],
  [[{ pathname: "/foo/bar" }], [{ pathname: "/foo/bar", baseURL: "https://example.com" }], { pathname: ["/foo/bar", {}] }],
  [[{ pathname: "/foo/bar", baseURL: "https://example.com" }], [{ pathname: "/foo/bar" }], false],
  [[{ pathname: "/foo/bar", baseURL: "https://example.com" }], [{ pathname: "/foo/bar", baseURL: "https://example.com" }], { hostname: ["example.com", {}] }],
  [[{ pathname: "/foo/bar", baseURL: "https://example.com?query=string#hash" }], ["https://example.com/foo/bar"], { pathname: ["/foo/bar", {}] }],
  [[{ pathname: "/foo/bar", baseURL: "https://example.com?query=string#hash" }], ["https://example.com/foo/bar?x#y"], { search: ["x", { 0: "x" }], hash: ["y", { 0: "y" }] }],
  [[{ pathname: "/foo/([^\\/]+?)" }], [{ pathname: "/foo/bar" }], { pathname: ["/foo/bar", { 0: "bar" }] }],
  [[{ pathname: "/foo/:bar" }], [{ pathname: "/foo/bar" }], { pathname: ["/foo/bar", { bar: "bar" }] }],
  [[{ pathname: "/foo/:bar" }], [{ pathname: "/foo/" }], false],
  [[{ pathname: "/foo/:bar" }], [{ pathname: "/foo/bar/baz" }], false],
  [[{ pathname: "/foo/:bar(.*)" }], [{ pathname: "/foo/bar/baz" }], { pathname: ["/foo/bar/baz", { bar: "bar/baz" }] }],
  [[{ pathname: "/foo/*" }], [{ pathname: "/foo/bar/baz" }], { pathname: ["/foo/bar/baz", { 0: "bar/baz" }] }],
  [[{ pathname: "/foo/*" }], [{ pathname: "/foo/" }], { pathname: ["/foo/", { 0: "" }] }],
  [[{ pathname: "/foo/*" }], [{ pathname: "/foo" }], false],
  [[{ pathname: "/foo/:bar?" }], [{ pathname: "/foo" }], { pathname: ["/foo", { bar: undefined }] }],
  [[{ pathname: "/foo/:bar?" }], [{ pathname: "/foo/bar" }], { pathname: ["/foo/bar", { bar: "bar" }] }],
  [[{ pathname: "/foo/:bar+" }], [{ pathname: "/foo/bar/baz" }], { pathname: ["/foo/bar/baz", { bar: "bar/baz" }] }],
  [[{ pathname: "/foo/:bar+" }], [{ pathname: "/foo" }], false],
  [[{ pathname: "/foo/:bar*" }], [{ pathname: "/foo" }], { pathname: ["/foo", { bar: undefined }] }],
  [[{ pathname: "/foo/:bar*" }], [{ pathname: "/foo/a/b" }], { pathname: ["/foo/a/b", { bar: "a/b" }] }],
  [[{ pathname: "/foo/(.*)?" }], [{ pathname: "/foo" }], { pathname: ["/foo", { 0: undefined }] }],
  [[{ pathname: "/foo/*?" }], [{ pathname: "/foo/bar" }], { pathname: ["/foo/bar", { 0: "bar" }] }],
  [[{ pathname: "/foo{/bar}?" }], [{ pathname: "/foo" }], { pathname: ["/foo", {}] }],
  [[{ pathname: "/foo{/bar}+" }], [{ pathname: "/foo/bar/bar" }], { pathname: ["/foo/bar/bar", {}] }],
  [[{ pathname: "/foo{/bar}*" }], [{ pathname: "/foo/baz" }], false],
  [[{ pathname: "/foo{/:bar}?" }], [{ pathname: "/foo/x" }], { pathname: ["/foo/x", { bar: "x" }] }],
  [[{ pathname: "/foo/{:bar-:baz}" }], [{ pathname: "/foo/a-b" }], "throws"],
  [[{ pathname: "/foo/:bar{-:baz}" }], [{ pathname: "/foo/a-b" }], { pathname: ["/foo/a-b", { bar: "a", baz: "b" }] }],
  [[{ pathname: "/:a(\\d+)/:b([a-z]*)" }], [{ pathname: "/12/xy" }], { pathname: ["/12/xy", { a: "12", b: "xy" }] }],
  [[{ pathname: "/(a)(b)" }], [{ pathname: "/ab" }], { pathname: ["/ab", { 0: "a", 1: "b" }] }],
  [[{ pathname: "/a\\:b" }], [{ pathname: "/a:b" }], { pathname: ["/a:b", {}] }],
  [[{ pathname: "/\\{x\\}" }], ["https://a.com/%7Bx%7D"], { pathname: ["/%7Bx%7D", {}] }],
  [[{ pathname: "/:café" }], [{ pathname: "/foo" }], { pathname: ["/foo", { "café": "foo" }] }],
  [[{ pathname: "/:\u2118" }], [{ pathname: "/foo" }], { pathname: ["/foo", { "\u2118": "foo" }] }],
  [[{ pathname: "/caf%C3%A9" }], [{ pathname: "/café" }], { pathname: ["/caf%C3%A9", {}] }],
  [[{ pathname: "/café" }], [{ pathname: "/caf%C3%A9" }], { pathname: ["/caf%C3%A9", {}] }],
  [[{ pathname: "/foo/../bar" }], [{ pathname: "/bar" }], { pathname: ["/bar", {}] }],
  [[{ pathname: "./foo/bar", baseURL: "https://example.com/baz/" }], ["https://example.com/baz/foo/bar"], { pathname: ["/baz/foo/bar", {}] }],
  [[{ pathname: "b", baseURL: "https://example.com/x/a" }], ["https://example.com/x/b"], { pathname: ["/x/b", {}] }],
  [[{ protocol: "http{s}?" }], ["https://example.com/"], { protocol: ["https", {}] }],
  [[{ protocol: "http{s}?" }], ["ftp://example.com/"], false],
  [[{ protocol: "(cafe)" }], [{ protocol: "cafe" }], { protocol: ["cafe", { 0: "cafe" }] }],
  [[{ protocol: "HTTPS" }], [{ protocol: "https" }], { protocol: ["https", {}] }],
  [[{ protocol: "https:" }], [{ protocol: "https" }], { protocol: ["https", {}] }],
  [[{ username: "caf%C3%A9" }], [{ username: "café" }], { username: ["caf%C3%A9", {}] }],
  [[{ username: "u:x" }], [{ username: "ux" }], { username: ["ux", { x: "x" }] }],
  [[{ password: "p*" }], ["https://u:pass@a.com/"], { password: ["pass", { 0: "ass" }] }],
  [[{ hostname: "*.example.com" }], ["https://a.b.example.com/"], { hostname: ["a.b.example.com", { 0: "a.b" }] }],
  [[{ hostname: ":sub.example.com" }], ["https://a.b.example.com/"], false],
  [[{ hostname: "{:sub.}?example.com" }], ["https://example.com/"], { hostname: ["example.com", { sub: undefined }] }],
  [[{ hostname: "xn--caf-dma.com" }], [{ hostname: "café.com" }], { hostname: ["xn--caf-dma.com", {}] }],
  [[{ hostname: "café.com" }], ["https://xn--caf-dma.com/"], { hostname: ["xn--caf-dma.com", {}] }],
  [[{ hostname: "[\\:\\:1]" }], ["http://[::1]/"], { hostname: ["[::1]", {}] }],
  [[{ hostname: "EXAMPLE.com" }], ["https://example.COM/"], { hostname: ["example.com", {}] }],
  [[{ port: "80" }], [{ port: "80" }], { port: ["80", {}] }],
  [[{ port: "(80|90)" }], ["http://a.com:90/"], { port: ["90", { 0: "90" }] }],
  [[{ protocol: "http", port: "80" }], ["http://a.com/"], { port: ["", {}] }],
  [[{ protocol: "http", port: "80" }], ["http://a.com:8080/"], false],
  [[{ search: "q=:term" }], ["https://a.com/?q=x"], { search: ["q=x", { term: "x" }] }],
  [[{ search: "?q=*" }], ["https://a.com/?q=a&b"], { search: ["q=a&b", { 0: "a&b" }] }],
  [[{ search: "caf%C3%A9" }], [{ search: "café" }], { search: ["caf%C3%A9", {}] }],
  [[{ hash: "#top" }], ["https://a.com/#top"], { hash: ["top", {}] }],
  [[{ hash: ":x" }], [{ hash: "a b" }], { hash: ["a%20b", { x: "a%20b" }] }],
  [[{}], ["https://any.com/thing"], { pathname: ["/thing", { 0: "/thing" }] }],
  [[], ["https://any.com/"], { hostname: ["any.com", { 0: "any.com" }] }],
  [[], [{}], { pathname: ["", { 0: "" }] }],
  [[], [], { pathname: ["", { 0: "" }] }],
  [[], ["not a url"], false],
  [[], [{ pathname: "x", baseURL: "not a url" }], false],
  [[], ["relative", "https://base.com/a/b"], { pathname: ["/a/relative", { 0: "/a/relative" }] }],
  [["https://example.com/foo/:id"], ["https://example.com/foo/1"], { protocol: ["https", {}], hostname: ["example.com", {}], port: ["", {}], pathname: ["/foo/1", { id: "1" }], search: ["", { 0: "" }] }],
  [["https://example.com:8080/foo?bar#baz"], ["https://example.com:8080/foo?bar#baz"], { port: ["8080", {}], search: ["bar", {}], hash: ["baz", {}] }],
  [["https://example.com:8080/foo?bar#baz"], ["https://example.com/foo?bar#baz"], false],
  [["/foo?bar#baz", "https://example.com:8080"], ["/foo?bar#baz", "https://example.com:8080"], { search: ["bar", {}] }],
  [["http{s}?://{*.}?example.com/:product/:endpoint"], ["https://sub.example.com/foo/bar"], { hostname: ["sub.example.com", { 0: "sub" }], pathname: ["/foo/bar", { product: "foo", endpoint: "bar" }] }],
  [["https://{sub.}?example.com/foo"], ["https://example.com/foo"], { hostname: ["example.com", {}] }],
  [["https://(sub.)?example(.com/)foo"], ["https://example.com/foo"], false],
  [["https://example.com/foo?bar=(baz|qux)"], ["https://example.com/foo?bar=qux"], { search: ["bar=qux", { 0: "qux" }] }],
  [["https://example.com/(foo|bar)\\?baz"], ["https://example.com/bar?baz"], { pathname: ["/bar", { 0: "bar" }], search: ["baz", {}] }],
  [["data\\:foobar"], ["data:foobar"], { protocol: ["data", {}], pathname: ["foobar", {}] }],
  [["data:text/*,hi"], ["data:text/plain,hi"], "throws"],
  [["https://foo\\:bar@example.com"], ["https://foo:bar@example.com"], { username: ["foo", {}], password: ["bar", {}] }],
  [["https://:user::pass@example.com"], ["https://a:b@example.com"], { username: ["a", { user: "a" }], password: ["b", { pass: "b" }] }],
  [["about\\:(blank|sourcedoc)"], ["about:blank"], { pathname: ["blank", { 0: "blank" }] }],
  [["file:///foo/bar"], ["file:///foo/bar"], { protocol: ["file", {}], hostname: ["", {}], pathname: ["/foo/bar", {}] }],
  [["https://[\\:\\:1]:8080/*"], ["https://[::1]:8080/x"], { hostname: ["[::1]", {}], port: ["8080", {}] }],
  [["/foo/bar", "https://example.com", { ignoreCase: true }], ["https://example.com/FOO/BAR"], { pathname: ["/FOO/BAR", {}] }],
  [["https://example.com/foo", { ignoreCase: true }], ["https://example.com/FOO"], { pathname: ["/FOO", {}] }],
  [[{ pathname: "/foo", search: "x" }, { ignoreCase: true }], [{ pathname: "/FOO", search: "X" }], { search: ["X", {}] }],
  [[{ pathname: "/foo" }, { ignoreCase: false }], [{ pathname: "/FOO" }], false],
  [[{ pathname: "/:a/:b", search: ":c", hash: ":d" }], ["https://x.com/1/2?3#4"], { pathname: ["/1/2", { a: "1", b: "2" }], search: ["3", { c: "3" }], hash: ["4", { d: "4" }] }],
];

let n = 0;
for (const [args, input, wanted] of cases) {
  const what = `${n++}: ${JSON.stringify(args)} with ${JSON.stringify(input)}`;
  if (wanted === "throws") {
    throws(() => new URLPattern(...args), { name: "TypeError" }, what);
    continue;
  }
  let pattern, result;
  try {
    pattern = new URLPattern(...args);
    result = pattern.exec(...input);
  } catch (error) {
    check(false, `${what}: ${error}`);
    continue;
  }
  same(pattern.test(...input), result !== null, `${what}: test`);
  if (wanted === false) {
    same(result, null, what);
    continue;
  }
  if (result === null) {
    check(false, `${what}: it does not match`);
    continue;
  }
  same(result.inputs.length, Math.max(input.length, 1), `${what}: inputs`);
  for (const component of COMPONENTS) {
    check(typeof result[component].input === "string" && typeof result[component].groups === "object", `${what}: ${component}`);
    if (component in wanted) same([result[component].input, result[component].groups], wanted[component], `${what}: ${component}`);
  }
}

// What a pattern says of itself is normalized.
for (const [args, wanted] of [
  [[], Object.fromEntries(COMPONENTS.map((c) => [c, "*"]))],
  [["https://example.com/a"], { protocol: "https", username: "*", password: "*", hostname: "example.com", port: "", pathname: "/a", search: "*", hash: "*" }],
  [["https://example.com/a?b"], { search: "b", hash: "*" }],
  [["https://example.com/a#b"], { search: "", hash: "b" }],
  [["https://example.com"], { pathname: "*" }],
  [["https://example.com/"], { pathname: "/" }],
  [[{ pathname: "/foo/:bar([^\\/]+?)" }], { pathname: "/foo/:bar" }],
  [[{ pathname: "/foo/(.*)" }], { pathname: "/foo/*" }],
  [[{ pathname: "/foo/{:bar}" }], { pathname: "/foo/{:bar}" }],
  [[{ pathname: "/{foo}" }], { pathname: "/foo" }],
  [[{ pathname: "/foo{/bar}?" }], { pathname: "/foo{/bar}?" }],
  [[{ pathname: "/café" }], { pathname: "/caf%C3%A9" }],
  [[{ pathname: "/a/../b" }], { pathname: "/b" }],
  [[{ hostname: "CAFÉ.com" }], { hostname: "xn--caf-dma.com" }],
  [[{ protocol: "https", port: "443" }], { port: "" }],
  [[{ port: "8080" }], { port: "8080" }],
  [[{ search: "?a" }], { search: "a" }],
  [[{ hash: "#a" }], { hash: "a" }],
  [[{ pathname: "b", baseURL: "https://example.com/x/a?q#h" }], { protocol: "https", hostname: "example.com", port: "", pathname: "/x/b", search: "*", hash: "*" }],
  [[{ search: "s", baseURL: "https://example.com/x/a?q#h" }], { pathname: "/x/a", search: "s", hash: "*" }],
  [["/a", "https://u:p@example.com/"], { username: "*", password: "*" }],
]) {
  const pattern = new URLPattern(...args);
  for (const component of Object.keys(wanted)) same(pattern[component], wanted[component], `${JSON.stringify(args)}: ${component}`);
}
for (const [init, has] of [[{}, false], [{ pathname: "/:a/*" }, false], [{ pathname: "/(\\d+)" }, true], [{ hash: ":x(a|b)" }, true], [{ pathname: "/(.*)" }, false]]) {
  same(new URLPattern(init).hasRegExpGroups, has, `hasRegExpGroups of ${JSON.stringify(init)}`);
}

// What is no pattern.
for (const args of [
  ["relative"], ["/path"], [""], ["https://example.com", "not a url"], [{ baseURL: "not a url" }], [{ pathname: "/a" }, "https://example.com"], [{ pathname: "/(" }], [{ pathname: "/:" }], [{ pathname: "/{a" }], [{ pathname: "/a}" }],
  [{ pathname: "/:a/:a" }], [{ pathname: "/(?:x)" }], [{ pathname: "/(é)" }], [{ pathname: "/((x))" }], [{ pathname: "/{{a}}" }], [{ pathname: "/+a" }], [{ protocol: "ht tp" }], [{ protocol: "café" }], [{ port: "99999999" }], [{ port: "x" }],
  [{ hostname: "a b" }], [{ hostname: "bad|host" }], [{ pathname: "/([z-a])" }], [null, 1, 1, {}],
]) throws(() => new URLPattern(...args), { name: "TypeError" }, `new URLPattern(${JSON.stringify(args)})`);
throws(() => new URLPattern({}).test({}, "https://example.com"), { name: "TypeError" });
throws(() => new URLPattern({}).exec({}, "https://example.com"), { name: "TypeError" });
throws(() => URLPattern.prototype.test.call({}), { name: "TypeError" });
throws(() => new URLPattern({ get pathname() { throw new RangeError("mine"); } }), { name: "RangeError" });

// Other properties count for nothing, and conversion is Web IDL's.
same(new URLPattern({ pathname: { toString: () => "/x" }, other: 1 }).pathname, "/x");
same(new URLPattern({ pathname: undefined }).pathname, "*");
same(new URLPattern(new URL("https://example.com/a")).hostname, "example.com");
{
  const result = new URLPattern({ pathname: "/:x" }).exec("/1", "https://a.com");
  same(result.inputs, ["/1", "https://a.com"]);
  same(Object.keys(result), ["inputs", ...COMPONENTS]);
  same(Object.keys(result.pathname), ["input", "groups"]);
}
done();
