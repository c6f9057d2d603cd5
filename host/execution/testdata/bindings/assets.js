// The binding assets: static files.
import assert from "./assert.js";

export default async function (input, env) {
  const { SITE } = env;
  assert.is(SITE.constructor.name, "Fetcher");
  const get = async (path, init) => {
    const r = await SITE.fetch(new URL(path, "https://any.example/"), init);
    return [r.status, r.headers.get("content-type"), await r.text()];
  };
  assert.same(await get("/"), [200, "text/html; charset=utf-8", "<p>home</p>"]);
  assert.same(await get("/style.css?v=1#x"), [200, "text/css; charset=utf-8", "p{}"]);
  assert.same(await get("/about"), [200, "text/html; charset=utf-8", "about"]);
  assert.same(await get("/docs/"), [200, "text/html; charset=utf-8", "docs"]);
  const moved = await SITE.fetch("/docs", { redirect: "manual" });
  assert.same([moved.status, moved.headers.get("location")], [307, "/docs/"]);
  assert.same(await get("/nothing"), [404, "text/html; charset=utf-8", "not here"]);
  assert.same(await get("/gr%C3%B6%C3%9Fe.txt"), [200, "text/plain; charset=utf-8", "9"]);
  for (const path of ["/%2e%2e/secret.txt", "/docs/%2e%2e%2f%2e%2e/secret.txt", "/..%2fsecret.txt", "/a%00b", "/%ff"]) assert.is((await get(path))[0], 404, path);

  const first = await SITE.fetch("/data.txt");
  const etag = first.headers.get("etag");
  assert.is(await first.text(), "0123456789");
  assert.is(first.headers.get("content-length"), "10");
  for (const match of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
    const same = await SITE.fetch("/data.txt", { headers: { "if-none-match": match } });
    assert.same([same.status, same.headers.get("etag"), await same.text()], [304, etag, ""]);
  }
  assert.is((await SITE.fetch("/data.txt", { headers: { "if-none-match": '"x"' } })).status, 200);
  const range = async (value, more) => {
    const r = await SITE.fetch("/data.txt", { headers: { range: value, ...more } });
    return [r.status, r.headers.get("content-range"), await r.text()];
  };
  assert.same(await range("bytes=2-4"), [206, "bytes 2-4/10", "234"]);
  assert.same(await range("bytes=-3"), [206, "bytes 7-9/10", "789"]);
  assert.same(await range("bytes=8-"), [206, "bytes 8-9/10", "89"]);
  assert.same(await range("bytes=10-"), [416, "bytes */10", ""]);
  assert.same(await range("bytes=0-1,3-4"), [200, null, "0123456789"]);
  assert.same(await range("bytes=0-1", { "if-range": etag }), [206, "bytes 0-1/10", "01"]);
  assert.same(await range("bytes=0-1", { "if-range": '"old"' }), [200, null, "0123456789"]);
  const head = await SITE.fetch("/data.txt", { method: "HEAD" });
  assert.same([head.status, head.headers.get("content-length"), await head.text()], [200, "10", ""]);
  const post = await SITE.fetch("/data.txt", { method: "POST", body: "x" });
  assert.same([post.status, post.headers.get("allow")], [405, "GET, HEAD"]);
  const large = await SITE.fetch("/large.bin");
  assert.same([large.headers.get("content-type"), (await large.bytes()).length], ["application/octet-stream", 300_000]);
  return "ok";
}
