// EventSource on streams, cut in every way. Its connections are tested where
// there is a network.
import { anInterface, check, done, same, throws } from "./check.js";

anInterface(EventSource, "EventSource", {
  length: 1, parent: EventTarget,
  attributes: ["url", "withCredentials", "readyState", "onopen", "onmessage", "onerror"],
  methods: { close: 0 }, statics: { from: 1 },
});
same([EventSource.CONNECTING, EventSource.OPEN, EventSource.CLOSED, EventSource.prototype.CLOSED], [0, 1, 2, 2]);
throws(() => new EventSource(), { name: "TypeError" });
throws(() => new EventSource("no url"), { name: "SyntaxError", code: 12 });
throws(() => EventSource.from(), { name: "TypeError" });
throws(() => EventSource.from("x"), { name: "TypeError" });

const encoder = new TextEncoder();

async function events(source, size, types = ["message"]) {
  const bytes = typeof source === "string" ? encoder.encode(source) : source;
  let at = 0;
  const stream = new ReadableStream({ pull(c) { if (at >= bytes.length) c.close(); else c.enqueue(bytes.slice(at, at += size)); } });
  const es = EventSource.from(stream);
  same([es.readyState, es.url, es.withCredentials], [0, "", false]);
  const got = [];
  for (const type of types) es.addEventListener(type, (e) => { check(e instanceof MessageEvent && e.isTrusted); got.push([e.type, e.data, e.lastEventId]); });
  es.onopen = () => { same(es.readyState, 1); };
  await new Promise((r) => { es.onerror = r; });
  same(es.readyState, 2);
  return got;
}

for (const [source, wanted, types] of [
  ["data: a\n\n", [["message", "a", ""]]],
  ["data:a\ndata: b\ndata\ndata:  c\n\n", [["message", "a\nb\n\n c", ""]]],
  ["data: a\r\rdata: b\r\n\r\ndata: c\n\r\ndata: d\r\n\n", [["message", "a", ""], ["message", "b", ""], ["message", "c", ""], ["message", "d", ""]]],
  ["data: unfinished\n", []],
  ["data: unfinished", []],
  ["\n\n\nevent: x\n\n", []],
  ["data\n\n", [["message", "", ""]]],
  ["data:\n\n", [["message", "", ""]]],
  ["\ufeffdata: mark\n\n\ufeffdata: no field\n\n", [["message", "mark", ""]]],
  [": comment\n:\ndata: a\n: data: b\n\n", [["message", "a", ""]]],
  ["event: x\ndata: 1\n\ndata: 2\n\nevent:\ndata: 3\n\n", [["x", "1", ""], ["message", "2", ""], ["message", "3", ""]], ["x", "message"]],
  ["id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: \u00e9\n\ndata: d\n\n", [["message", "a", "1"], ["message", "b", "1"], ["message", "c", ""], ["message", "d", "\u00e9"]]],
  ["id: a\0b\ndata: x\n\n", [["message", "x", ""]]],
  ["Data: x\n data: x\ndata : x\nother: x\n\n", []],
  ["data: a:b: c\n\n", [["message", "a:b: c", ""]]],
  ["data: \u00e9\u20ac\u{1f600}\n\n", [["message", "\u00e9\u20ac\u{1f600}", ""]]],
  ["retry: 10\nretry: x\nretry\ndata: a\n\n", [["message", "a", ""]]],
  ["data: " + "x".repeat(5000) + "\n\n", [["message", "x".repeat(5000), ""]]],
]) {
  for (const size of [1, 2, 3, 1000000]) same(await events(source, size, types), wanted, `${JSON.stringify(source.slice(0, 40))} in pieces of ${size}`);
}
same(await events(new Uint8Array([0x64, 0x61, 0x74, 0x61, 0x3a, 0xff, 0x0a, 0x0a]), 1), [["message", "\ufffd", ""]]);

// Closing: no event comes after it, and the source is cancelled.
let cancelled = false;
const es = EventSource.from(new ReadableStream({ pull(c) { c.enqueue(encoder.encode("data: x\n\ndata: y\n\n")); }, cancel() { cancelled = true; } }));
const seen = [];
await new Promise((r) => { es.onmessage = (e) => { seen.push(e.data); es.close(); r(); }; });
await new Promise((r) => setTimeout(r, 2));
same([seen, es.readyState, cancelled], [["x"], 2, true]);
es.close();
done();
