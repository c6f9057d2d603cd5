// R2Bucket, as the Workers runtime API has it.
import assert from "./assert.js";

const text = async (o) => (o === null ? null : o.text());
const hexOf = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, "0")).join("");

export default async function (input, env) {
  const { BUCKET } = env;
  assert.is(BUCKET.constructor.name, "R2Bucket");
  assert.is(await BUCKET.get("missing"), null);
  assert.is(await BUCKET.head("missing"), null);
  assert.is(await BUCKET.delete("missing"), undefined);

  // What is put and what of it is known.
  const before = Date.now();
  const put = await BUCKET.put("a/hello.txt", "hello, R2", {
    httpMetadata: { contentType: "text/plain", contentLanguage: "en", contentDisposition: "inline", contentEncoding: "identity", cacheControl: "max-age=60", cacheExpiry: new Date(2e12) },
    customMetadata: { who: "me", größe: "9" },
    sha256: hexOf(await crypto.subtle.digest("SHA-256", new TextEncoder().encode("hello, R2"))),
  });
  assert.is(put.constructor.name, "R2Object");
  assert.is(put.key, "a/hello.txt");
  assert.is(put.size, 9);
  assert.is(put.httpEtag, `"${put.etag}"`);
  assert.is(put.uploaded instanceof Date && put.uploaded.getTime() >= before - 1 && put.uploaded.getTime() <= Date.now(), true);
  assert.is(typeof put.version === "string" && put.version.length > 0, true);
  assert.is(put.storageClass, "Standard");
  assert.same(put.customMetadata, { who: "me", größe: "9" });
  assert.same(Object.keys(put.checksums.toJSON()), ["md5", "sha256"]);
  assert.is(hexOf(put.checksums.md5), hexOf(await crypto.subtle.digest("MD5", new TextEncoder().encode("hello, R2"))));
  assert.is(put.checksums.sha1, undefined);
  const head = await BUCKET.head("a/hello.txt");
  assert.same(JSON.parse(JSON.stringify(head)), JSON.parse(JSON.stringify(put)));
  assert.same(head.httpMetadata, {
    contentType: "text/plain", contentLanguage: "en", contentDisposition: "inline", contentEncoding: "identity", cacheControl: "max-age=60", cacheExpiry: new Date(2e12),
  });
  assert.is(head.body, undefined);
  const headers = new Headers({ "x-other": "1" });
  head.writeHttpMetadata(headers);
  assert.same([...headers], [["cache-control", "max-age=60"], ["content-disposition", "inline"], ["content-encoding", "identity"], ["content-language", "en"],
    ["content-type", "text/plain"], ["expires", "Wed, 18 May 2033 03:33:20 GMT"], ["x-other", "1"]]);

  // The ways to read it.
  const got = await BUCKET.get("a/hello.txt");
  assert.is(got.constructor.name, "R2ObjectBody");
  assert.is(got.body instanceof ReadableStream, true);
  assert.is(got.bodyUsed, false);
  assert.is(await got.text(), "hello, R2");
  assert.is(got.bodyUsed, true);
  await assert.rejects(got.text(), TypeError);
  assert.is(got.range, undefined);
  assert.is(new TextDecoder().decode(await (await BUCKET.get("a/hello.txt")).arrayBuffer()), "hello, R2");
  assert.is((await (await BUCKET.get("a/hello.txt")).bytes()).length, 9);
  const blob = await (await BUCKET.get("a/hello.txt")).blob();
  assert.is(blob instanceof Blob && blob.type === "text/plain" && blob.size === 9, true);
  await BUCKET.put("data.json", JSON.stringify({ n: [1, 2] }));
  assert.same(await (await BUCKET.get("data.json")).json(), { n: [1, 2] });
  assert.same((await BUCKET.head("data.json")).httpMetadata, {});
  assert.same((await BUCKET.head("data.json")).customMetadata, {});
  assert.is(await new Response((await BUCKET.get("a/hello.txt")).body).text(), "hello, R2");

  // The ways to write.
  for (const [value, want] of [
    ["", ""], [null, ""], ["grüße", "grüße"], [new TextEncoder().encode("view").subarray(1), "iew"], [new TextEncoder().encode("buffer").buffer, "buffer"],
    [new Blob(["bl", "ob"]), "blob"], [new Response("stream").body, "stream"], [new DataView(new TextEncoder().encode("dataview").buffer, 4), "view"],
  ]) {
    await BUCKET.put("ways", value);
    assert.is(await text(await BUCKET.get("ways")), want);
  }
  for (const value of [undefined, 5, {}, [1]]) await assert.rejects(BUCKET.put("ways", value), TypeError);
  await BUCKET.put("headers", "x", { httpMetadata: new Headers({ "content-type": "text/csv", expires: "Wed, 18 May 2033 03:33:20 GMT" }) });
  assert.same((await BUCKET.head("headers")).httpMetadata, { contentType: "text/csv", cacheExpiry: new Date(2e12) });
  await BUCKET.put("class", "x", { storageClass: "InfrequentAccess" });
  assert.is((await BUCKET.head("class")).storageClass, "InfrequentAccess");
  await assert.rejects(BUCKET.put("class", "x", { storageClass: "Glacier" }), Error, /^put: .*\(10062\)$/);

  // Large ones, in both directions.
  const large = new Uint8Array(2_500_003).map((_, i) => (i * 7) % 253);
  await BUCKET.put("large", large);
  const back = await (await BUCKET.get("large")).bytes();
  assert.is(back.length === large.length && back.every((b, i) => b === (i * 7) % 253), true);
  await BUCKET.put("copy", (await BUCKET.get("large")).body);
  assert.is((await BUCKET.head("copy")).etag, (await BUCKET.head("large")).etag);
  const unread = await BUCKET.get("large");
  await unread.body.cancel();
  const breaks = new ReadableStream({ start(c) { c.enqueue(new Uint8Array(10)); }, pull() { throw new RangeError("broke off"); } });
  await assert.rejects(BUCKET.put("broken", breaks), RangeError, "broke off");
  assert.is(await BUCKET.head("broken"), null);
  await assert.rejects(BUCKET.put("broken", new ReadableStream({ start(c) { c.enqueue("text"); c.close(); } })), TypeError);

  // Checksums.
  const sum = await crypto.subtle.digest("SHA-1", new TextEncoder().encode("sum"));
  assert.is((await BUCKET.put("sum", "sum", { sha1: sum })).checksums.toJSON().sha1, hexOf(sum));
  assert.is(hexOf((await BUCKET.head("sum")).checksums.sha1), hexOf(sum));
  await BUCKET.put("sum", "sum", { sha1: hexOf(sum).toUpperCase() });
  const wrong = await assert.rejects(BUCKET.put("sum", "other", { sha1: sum }), Error, /^put: .*\(10037\)$/);
  assert.is(wrong.code, 10037);
  assert.is(wrong.action, "put");
  assert.is(await text(await BUCKET.get("sum")), "sum");
  await assert.rejects(BUCKET.put("sum", "x", { sha1: sum, md5: "0".repeat(32) }), TypeError, "You cannot specify multiple hashing algorithms.");
  await assert.rejects(BUCKET.put("sum", "x", { md5: "00" }), TypeError, "MD5 is 32 hex characters, not 2");
  await assert.rejects(BUCKET.put("sum", "x", { md5: new Uint8Array(3) }), TypeError, "MD5 is 16 bytes, not 3");
  await assert.rejects(BUCKET.put("sum", "x", { sha512: "zz".repeat(64) }), TypeError, "Provided SHA-512 wasn't a valid hex string");
  await assert.rejects(BUCKET.put("sum", "x", { ssecKey: "00".repeat(32) }), TypeError);

  // Ranges.
  await BUCKET.put("range", "0123456789");
  const part = async (range) => {
    const o = await BUCKET.get("range", { range });
    return [await o.text(), o.range, o.size];
  };
  assert.same(await part({ offset: 2, length: 3 }), ["234", { offset: 2, length: 3 }, 10]);
  assert.same(await part({ offset: 7 }), ["789", { offset: 7, length: 3 }, 10]);
  assert.same(await part({ length: 2 }), ["01", { offset: 0, length: 2 }, 10]);
  assert.same(await part({ suffix: 4 }), ["6789", { offset: 6, length: 4 }, 10]);
  assert.same(await part({ offset: 8, length: 100 }), ["89", { offset: 8, length: 2 }, 10]);
  assert.same(await part(new Headers({ range: "bytes=1-2" })), ["12", { offset: 1, length: 2 }, 10]);
  assert.same(await part(new Headers({ range: "bytes=-2" })), ["89", { offset: 8, length: 2 }, 10]);
  assert.same((await part(new Headers({ range: "bytes=0-1,4-5" })))[0], "0123456789");
  assert.same((await part(new Headers({})))[0], "0123456789");
  await assert.rejects(BUCKET.get("range", { range: { offset: 11 } }), Error, /^get: .*\(10039\)$/);
  await assert.rejects(BUCKET.get("range", { range: { length: 0 } }), Error, /\(10039\)$/);
  await assert.rejects(BUCKET.get("range", { range: { offset: -1 } }), RangeError, "Invalid range. Starting offset (-1) must be greater than or equal to 0.");
  await assert.rejects(BUCKET.get("range", { range: { offset: 1.5 } }), RangeError);
  await assert.rejects(BUCKET.get("range", { range: { suffix: 1, offset: 1 } }), TypeError, "Suffix is incompatible with offset.");

  // Conditions.
  const { etag, uploaded } = await BUCKET.head("range");
  const earlier = new Date(uploaded.getTime() - 1);
  const later = new Date(uploaded.getTime() + 1);
  const holds = async (onlyIf) => {
    const o = await BUCKET.get("range", { onlyIf });
    assert.is(o.key, "range");
    assert.is("body" in o, o.constructor.name === "R2ObjectBody");
    const again = await BUCKET.put("range", "0123456789", { onlyIf: { etagMatches: "no such etag" } });
    assert.is(again, null);
    return "body" in o;
  };
  for (const [onlyIf, want] of [
    [{}, true], [{ etagMatches: etag }, true], [{ etagMatches: "other" }, false], [{ etagMatches: "*" }, true],
    [{ etagDoesNotMatch: etag }, false], [{ etagDoesNotMatch: "other" }, true], [{ etagDoesNotMatch: "*" }, false],
    [{ uploadedBefore: later }, true], [{ uploadedBefore: uploaded }, false], [{ uploadedBefore: earlier }, false],
    [{ uploadedAfter: earlier }, true], [{ uploadedAfter: uploaded }, false],
    [{ uploadedAfter: earlier, secondsGranularity: true }, Math.floor(earlier / 1000) < Math.floor(uploaded / 1000)],
    [new Headers({ "if-match": `"${etag}"` }), true], [new Headers({ "if-match": `"a", "${etag}"` }), true], [new Headers({ "if-match": `W/"${etag}"` }), false],
    [new Headers({ "if-none-match": `W/"${etag}"` }), false], [new Headers({ "if-none-match": '"a" , "b"' }), true], [new Headers({ "if-none-match": "*" }), false],
    [new Headers({ "if-unmodified-since": new Date(uploaded.getTime() + 2000).toUTCString() }), true],
    [new Headers({ "if-modified-since": new Date(uploaded.getTime() + 2000).toUTCString() }), false],
  ]) assert.is(await holds(onlyIf), want, JSON.stringify(onlyIf));
  await assert.rejects(BUCKET.get("range", { onlyIf: { etagMatches: `"${etag}"` } }), TypeError, `Conditional ETag should not be wrapped in quotes ("${etag}").`);
  await assert.rejects(BUCKET.get("range", { onlyIf: new Headers({ "if-match": '"open' }) }), Error);
  await assert.rejects(BUCKET.get("range", { onlyIf: { uploadedAfter: "yesterday" } }), TypeError);
  assert.is(await BUCKET.put("new", "x", { onlyIf: { etagMatches: "*" } }), null);
  assert.is((await BUCKET.put("new", "x", { onlyIf: { etagDoesNotMatch: "*" } })).key, "new");
  assert.is(await BUCKET.put("new", "y", { onlyIf: { etagDoesNotMatch: "*" } }), null);
  const { etag: first } = await BUCKET.head("new");
  assert.is((await BUCKET.put("new", "z", { onlyIf: new Headers({ "if-match": `"other", "${first}"` }) })).key, "new");
  assert.is(await BUCKET.put("new", "w", { onlyIf: { etagMatches: first } }), null);
  assert.is(await text(await BUCKET.get("new")), "z");

  // Lists.
  await BUCKET.delete((await BUCKET.list()).objects.map((o) => o.key));
  assert.same(await BUCKET.list(), { objects: [], truncated: false, delimitedPrefixes: [] });
  for (const key of ["a", "b/1", "b/2", "c/x/1", "c/y/1", "d", "../e", "é"]) await BUCKET.put(key, key, { customMetadata: { key }, httpMetadata: { contentType: "text/x" } });
  const keys = async (options) => (await BUCKET.list(options)).objects.map((o) => o.key);
  assert.same(await keys(), ["../e", "a", "b/1", "b/2", "c/x/1", "c/y/1", "d", "é"]);
  assert.same(await keys({ prefix: "c/" }), ["c/x/1", "c/y/1"]);
  assert.same(await keys({ startAfter: "b/1", limit: 2 }), ["b/2", "c/x/1"]);
  const grouped = await BUCKET.list({ delimiter: "/" });
  assert.same([grouped.objects.map((o) => o.key), grouped.delimitedPrefixes], [["a", "d", "é"], ["../", "b/", "c/"]]);
  assert.same((await BUCKET.list({ delimiter: "/", prefix: "c/" })).delimitedPrefixes, ["c/x/", "c/y/"]);
  const all = [];
  let cursor;
  do {
    const page = await BUCKET.list({ limit: 3, cursor });
    all.push(...page.objects.map((o) => o.key));
    assert.is(page.truncated, page.cursor !== undefined);
    cursor = page.cursor;
  } while (cursor);
  assert.same(all, await keys());
  const [plain] = (await BUCKET.list({ limit: 1 })).objects;
  assert.same([plain.customMetadata, plain.httpMetadata, plain.size], [undefined, undefined, 4]);
  assert.throws(() => plain.writeHttpMetadata(new Headers()), TypeError);
  const [full] = (await BUCKET.list({ limit: 1, include: ["customMetadata", "httpMetadata"] })).objects;
  assert.same([full.customMetadata, full.httpMetadata], [{ key: "../e" }, { contentType: "text/x" }]);
  await assert.rejects(BUCKET.list({ limit: 1001 }), Error, "list: MaxKeys params must be positive integer <= 1000. (10022)");
  await assert.rejects(BUCKET.list({ limit: 0 }), Error, /\(10022\)$/);
  await assert.rejects(BUCKET.list({ cursor: "nonsense" }), Error, /^list: .*\(10029\)$/);
  await assert.rejects(BUCKET.list({ include: ["other"] }), RangeError, "Unsupported include value other");

  // Deleting.
  await BUCKET.delete(["a", "b/1", "missing"]);
  assert.same((await keys()).slice(0, 2), ["../e", "b/2"]);
  await assert.rejects(BUCKET.delete(Array.from({ length: 1001 }, (_, i) => `${i}`)), Error, /^delete: .*\(10029\)$/);
  await BUCKET.delete([]);

  // Keys and metadata that can't be.
  await assert.rejects(BUCKET.put("", "x"), Error, "put: The specified object name is not valid. (10020)");
  await assert.rejects(BUCKET.get("x".repeat(1025)), Error, "get: The specified object name is not valid. (10020)");
  await assert.rejects(BUCKET.put("m", "x", { customMetadata: { a: "x".repeat(9000) } }), Error, "put: Your metadata headers exceed the maximum allowed metadata size. (10012)");
  for (const options of [
    { customMetadata: { a: "b\r\nx-evil: 1" } }, { customMetadata: { "a\n": "b" } }, { httpMetadata: { contentType: "text/html\r\nset-cookie: a=b" } },
    { httpMetadata: { cacheControl: "a\u0000" } }, { httpMetadata: { contentDisposition: "ä" } },
  ]) await assert.rejects(BUCKET.put("m", "x", options), TypeError);
  assert.is(await BUCKET.head("m"), null);

  // Uploads in parts.
  const upload = await BUCKET.createMultipartUpload("multi", { customMetadata: { m: "1" }, httpMetadata: { contentType: "application/x-multi" } });
  assert.is(upload.key, "multi");
  assert.is(typeof upload.uploadId, "string");
  const half = new Uint8Array(5 << 20).fill(1);
  const resumed = BUCKET.resumeMultipartUpload("multi", upload.uploadId);
  const parts = await Promise.all([resumed.uploadPart(2, "the end"), upload.uploadPart(1, half)]);
  assert.same(parts.map((p) => p.partNumber), [2, 1]);
  assert.is(await BUCKET.head("multi"), null);
  const whole = await upload.complete(parts);
  assert.is(whole.constructor.name, "R2Object");
  assert.same([whole.size, whole.customMetadata, whole.httpMetadata], [half.length + 7, { m: "1" }, { contentType: "application/x-multi" }]);
  assert.is(await text(await BUCKET.get("multi", { range: { suffix: 9 } })), "\u0001\u0001the end");
  await assert.rejects(upload.complete(parts), Error, /^completeMultipartUpload: .*\(10024\)$/);
  const other = await BUCKET.createMultipartUpload("other");
  await assert.rejects(other.uploadPart(0, "x"), TypeError, "Part number must be between 1 and 10000 (inclusive). Actual value was: 0");
  const small = await other.uploadPart(1, "small");
  const last = await other.uploadPart(2, "last");
  await assert.rejects(other.complete([small, last]), Error, /\(10011\)$/);
  await assert.rejects(other.complete([{ partNumber: 1, etag: "wrong" }]), Error, /\(10025\)$/);
  await other.abort();
  await assert.rejects(other.uploadPart(1, "x"), Error, /^uploadPart: .*\(10024\)$/);
  await assert.rejects(BUCKET.resumeMultipartUpload("x", "forged").uploadPart(1, "x"), Error, /\(10024\)$/);
  return "ok";
}
