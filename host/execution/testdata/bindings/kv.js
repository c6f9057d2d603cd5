// KVNamespace, as the Workers runtime API has it.
import assert from "./assert.js";

export default async function (input, env) {
  const { KV } = env;
  assert.is(KV.constructor.name, "KvNamespace");
  assert.is(Object.prototype.toString.call(KV), "[object KvNamespace]");
  assert.is(env.KV, KV, "the same object each time");
  assert.is(globalThis.env.KV, KV);
  assert.is((await import("cloudflare:workers")).env.KV, KV);
  assert.throws(() => new KV.constructor(), TypeError, "Illegal constructor");

  // Values.
  assert.is(await KV.get("missing"), null);
  assert.is(await KV.put("text", "grüße\u0000"), undefined);
  assert.is(await KV.get("text"), "grüße\u0000");
  assert.is(await KV.get("text", "text"), "grüße\u0000");
  assert.is(await KV.get("text", { cacheTtl: 30 }), "grüße\u0000");
  await KV.put("empty", "");
  assert.is(await KV.get("empty"), "");
  await KV.put("json", JSON.stringify({ a: [1, null, "x"] }));
  assert.same(await KV.get("json", "json"), { a: [1, null, "x"] });
  assert.same(await KV.get("json", { type: "json" }), { a: [1, null, "x"] });
  await assert.rejects(KV.get("text", "json"), SyntaxError);
  const bytes = new Uint8Array([0, 255, 128, 7]);
  await KV.put("bytes", bytes.buffer);
  assert.same([...new Uint8Array(await KV.get("bytes", "arrayBuffer"))], [0, 255, 128, 7]);
  await KV.put("view", new DataView(bytes.buffer, 1, 2));
  assert.same([...new Uint8Array(await KV.get("view", "arrayBuffer"))], [255, 128]);
  const stream = await KV.get("bytes", "stream");
  assert.is(stream instanceof ReadableStream, true);
  assert.same([...(await new Response(stream).bytes())], [0, 255, 128, 7]);
  await KV.put("streamed", new Response("from a stream").body);
  assert.is(await KV.get("streamed"), "from a stream");
  assert.is(await KV.put("number", 12), undefined);
  assert.is(await KV.get("number"), "12");
  await assert.rejects(KV.put("object", { a: 1 }), TypeError, "KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.");

  // Large values, in chunks both ways; the largest, and one byte more.
  const large = new Uint8Array(3_000_001).map((_, i) => i % 251);
  await KV.put("large", large);
  const back = new Uint8Array(await KV.get("large", "arrayBuffer"));
  assert.is(back.length, large.length);
  assert.is(back.every((b, i) => b === i % 251), true);
  let parts = 0;
  for await (const part of await KV.get("large", "stream")) parts += part.length;
  assert.is(parts, large.length);
  const tooLarge = new ReadableStream({
    pull(c) {
      if (this.n === undefined) this.n = 0;
      if (this.n++ < 26) c.enqueue(new Uint8Array(1 << 20));
      else c.close();
    },
  });
  await assert.rejects(KV.put("large", tooLarge), Error, /^KV PUT failed: 413 Value length of .* exceeds limit of 26214400\.$/);
  assert.is((await KV.get("large", "arrayBuffer")).byteLength, large.length);
  const broken = new ReadableStream({ start(c) { c.enqueue(new Uint8Array(10)); }, pull() { throw new RangeError("broke off"); } });
  await assert.rejects(KV.put("large", broken), RangeError, "broke off");
  assert.is((await KV.get("large", "arrayBuffer")).byteLength, large.length);

  // Metadata and expiration.
  const now = Math.floor(Date.now() / 1000);
  await KV.put("m", "v", { metadata: { who: "me", n: [1] }, expirationTtl: 60 });
  assert.same(await KV.getWithMetadata("m"), { value: "v", metadata: { who: "me", n: [1] }, cacheStatus: null });
  assert.same(await KV.getWithMetadata("missing", "json"), { value: null, metadata: null, cacheStatus: null });
  assert.same(await KV.getWithMetadata("json", "json"), { value: { a: [1, null, "x"] }, metadata: null, cacheStatus: null });
  await KV.put("e", "v", { expiration: now + 600 });
  const listed = await KV.list({ prefix: "e" });
  assert.same(listed, { keys: [{ name: "e", expiration: now + 600 }, { name: "empty" }], list_complete: true, cacheStatus: null });
  const [m] = (await KV.list({ prefix: "m" })).keys;
  assert.same(m.metadata, { who: "me", n: [1] });
  assert.is(m.expiration >= now + 60 && m.expiration <= now + 70, true);
  for (const [options, message] of [
    [{ expirationTtl: 59 }, "KV PUT failed: 400 Invalid expiration_ttl of 59. Expiration TTL must be at least 60."],
    [{ expirationTtl: 0 }, "KV PUT failed: 400 Invalid expiration_ttl of 0. Please specify integer greater than 0."],
    [{ expiration: now - 1 }, /^KV PUT failed: 400 Invalid expiration of \d+\. Please specify integer greater than the current number of seconds since the UNIX epoch\.$/],
    [{ expiration: now + 20 }, /^KV PUT failed: 400 Invalid expiration of \d+\. Expiration times must be at least 60 seconds in the future\.$/],
    [{ metadata: "x".repeat(1023) }, "KV PUT failed: 413 Metadata length of 1025 exceeds limit of 1024."],
  ]) await assert.rejects(KV.put("m", "other", options), Error, message);
  assert.is(await KV.get("m"), "v");

  // Many.
  const many = await KV.get(["text", "missing", "empty"]);
  assert.is(many instanceof Map, true);
  assert.same([...many], [["text", "grüße\u0000"], ["missing", null], ["empty", ""]]);
  assert.same([...(await KV.get(["json"], { type: "json" }))], [["json", { a: [1, null, "x"] }]]);
  assert.same([...(await KV.getWithMetadata(["m", "missing"]))],
    [["m", { value: "v", metadata: { who: "me", n: [1] }, cacheStatus: null }], ["missing", { value: null, metadata: null, cacheStatus: null }]]);
  await assert.rejects(KV.get(Array.from({ length: 101 }, (_, i) => `k${i}`)), Error, "KV GET_BULK failed: 400 You can request a maximum of 100 keys");
  await assert.rejects(KV.get(["a"], "stream"), Error, /is not a valid type/);

  // Keys and other arguments.
  await assert.rejects(KV.get(""), TypeError, "Key name cannot be empty.");
  await assert.rejects(KV.put(".", "v"), TypeError, '"." is not allowed as a key name.');
  await assert.rejects(KV.delete(".."), TypeError, '".." is not allowed as a key name.');
  await assert.rejects(KV.get("é".repeat(257)), Error, "KV GET failed: 414 UTF-8 encoded length of 514 exceeds key length limit of 512.");
  await assert.rejects(KV.get("a", "blob"), TypeError, /^Unknown response type/);
  await assert.rejects(KV.get("a", { cacheTtl: 29 }), Error, /Cache TTL must be at least 30/);
  await assert.rejects(KV.get(), TypeError);

  // Lists.
  for (let i = 0; i < 7; i++) await KV.put(`list/${i}`, "v");
  const names = [];
  let cursor;
  do {
    const page = await KV.list({ prefix: "list/", limit: 3, cursor });
    names.push(...page.keys.map((k) => k.name));
    cursor = page.cursor;
    assert.is(page.list_complete, cursor === undefined);
  } while (cursor);
  assert.same(names, Array.from({ length: 7 }, (_, i) => `list/${i}`));
  assert.is((await KV.list({ prefix: null, cursor: null })).list_complete, true);
  await assert.rejects(KV.list({ limit: 0 }), Error, "KV GET failed: 400 Invalid key_count_limit of 0. Please specify an integer greater than 0.");
  await assert.rejects(KV.list({ limit: 1001 }), Error, /Please specify an integer less than 1000/);
  await assert.rejects(KV.list({ cursor: "nonsense" }), Error, /^KV GET failed: 400 /);

  // Deleting.
  await KV.delete("text");
  assert.is(await KV.get("text"), null);
  await KV.delete("text");

  // Many at once.
  await Promise.all(Array.from({ length: 60 }, (_, i) => KV.put(`c/${i}`, `${i}`)));
  assert.same(await Promise.all(Array.from({ length: 60 }, (_, i) => KV.get(`c/${i}`))), Array.from({ length: 60 }, (_, i) => `${i}`));
  return "ok";
}
