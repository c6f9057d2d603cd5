// MessageChannel, MessagePort, BroadcastChannel, and ports in structuredClone.
import { anInterface, check, done, rejects, same, sleep, throws } from "./check.js";

anInterface(MessageChannel, "MessageChannel", { attributes: ["port1", "port2"] });
anInterface(MessagePort, "MessagePort", {
  parent: EventTarget, abstract: true, attributes: ["onmessage", "onmessageerror", "onclose"], methods: { postMessage: 1, start: 0, close: 0 },
});
anInterface(BroadcastChannel, "BroadcastChannel", { length: 1, parent: EventTarget, attributes: ["name", "onmessage", "onmessageerror"], methods: { postMessage: 1, close: 0 } });

const next = (port) => new Promise((resolve) => { port.onmessage = resolve; });

// Messages come in order, cloned, in turns of their own.
{
  const { port1, port2 } = new MessageChannel();
  const sent = { list: [1, new Map([["a", 1]])] };
  const seen = [];
  port1.postMessage(sent);
  sent.list = "changed";
  port1.postMessage("second", []);
  port1.postMessage("third", { transfer: [] });
  port2.onmessage = (event) => seen.push(event.data, event.isTrusted, event.target === port2, event.ports.length, event.origin);
  same(seen, []);
  await sleep(5);
  check(seen[0].list[1] instanceof Map && seen[0].list[1].get("a") === 1);
  same(seen.slice(1), [true, true, 0, "", "second", true, true, 0, "", "third", true, true, 0, ""]);
}

// A port that is not started keeps its messages; addEventListener alone does not start it.
{
  const { port1, port2 } = new MessageChannel();
  let count = 0;
  port2.addEventListener("message", () => count++);
  port1.postMessage(1);
  await sleep(2);
  same(count, 0);
  port2.start();
  await sleep(2);
  same(count, 1);
}

// A transferred port brings its messages, and the old one is of no use any more.
{
  const a = new MessageChannel(), b = new MessageChannel();
  a.port1.postMessage("early");
  const arrival = next(b.port2);
  b.port1.postMessage({ port: a.port2 }, [a.port2]);
  const event = await arrival;
  same(event.ports.length, 1);
  check(event.data.port === event.ports[0] && event.ports[0] !== a.port2 && Object.isFrozen(event.ports));
  same((await next(event.ports[0])).data, "early");
  a.port1.postMessage("late");
  same((await next(event.ports[0])).data, "late");
  throws(() => b.port1.postMessage(0, [a.port2]), { name: "DataCloneError", code: 25 });
  throws(() => b.port1.postMessage(0, [b.port1]), { name: "DataCloneError" });
  throws(() => b.port1.postMessage(a.port1), { name: "DataCloneError" });
}

// A failed clone moves nothing.
{
  const { port1, port2 } = new MessageChannel();
  const buffer = new ArrayBuffer(8);
  throws(() => structuredClone({ f() {} }, { transfer: [port2, buffer] }), { name: "DataCloneError" });
  same(buffer.byteLength, 8);
  port1.postMessage("still");
  same((await next(port2)).data, "still");
  const moved = structuredClone(port2, { transfer: [port2, buffer] });
  check(moved instanceof MessagePort && moved !== port2 && buffer.byteLength === 0);
  port1.postMessage("moved");
  same((await next(moved)).data, "moved");
  throws(() => port1.postMessage(), { name: "TypeError" });
  throws(() => port1.postMessage(0, 1), { name: "TypeError" });
  throws(() => port1.postMessage(0, [1]), { name: "TypeError" });
}

// Closing is heard at the other side, and ends both.
{
  const { port1, port2 } = new MessageChannel();
  const closed = new Promise((resolve) => { port2.onclose = resolve; });
  port1.close();
  same((await closed).type, "close");
  port2.postMessage("into nothing");
}

// Broadcast: to all others of the name, in the order in which they were made.
{
  const [a, b, c, other] = ["x", "x", "x", "y"].map((name) => new BroadcastChannel(name));
  const seen = [];
  for (const [name, channel] of Object.entries({ a, b, c, other })) channel.onmessage = (event) => seen.push(name, event.data);
  a.postMessage("hello");
  c.close();
  await sleep(5);
  same(seen, ["b", "hello"]);
  throws(() => c.postMessage(1), { name: "InvalidStateError" });
  throws(() => a.postMessage(Symbol()), { name: "DataCloneError" });
  throws(() => new BroadcastChannel(), { name: "TypeError" });
  for (const channel of [a, b, other]) channel.close();
}

// Events of messages.
const port = new MessageChannel().port1;
const event = new MessageEvent("m", { data: 1, origin: "o", lastEventId: "i", source: port, ports: [port] });
same([event.data, event.origin, event.lastEventId, event.source === port, event.ports[0] === port, Object.isFrozen(event.ports)], [1, "o", "i", true, true, true]);
throws(() => new MessageEvent("m", { ports: [1] }), { name: "TypeError" });
throws(() => new MessageEvent("m", { source: {} }), { name: "TypeError" });
event.initMessageEvent("n", true, false, 2);
same([event.type, event.bubbles, event.data, event.ports.length], ["n", true, 2, 0]);

done();
