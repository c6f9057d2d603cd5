// WebSocket and WebSocketPair, as far as they need no network.
import { anInterface, check, done, rejects, same, sleep, throws } from "./check.js";

anInterface(WebSocket, "WebSocket", {
  length: 1, parent: EventTarget,
  attributes: ["url", "readyState", "bufferedAmount", "extensions", "protocol", "binaryType", "onopen", "onmessage", "onerror", "onclose"],
  methods: { send: 1, close: 0, accept: 0 },
});
for (const [name, value] of [["CONNECTING", 0], ["OPEN", 1], ["CLOSING", 2], ["CLOSED", 3]]) {
  for (const where of [WebSocket, WebSocket.prototype]) {
    const d = Object.getOwnPropertyDescriptor(where, name);
    same([d.value, d.writable, d.enumerable, d.configurable], [value, false, true, false], name);
  }
  same(WebSocket[`READY_STATE_${name}`], value);
}
throws(() => new WebSocket(), { name: "TypeError" });
for (const url of ["", "x", "//host/", "ftp://host/", "ws://host/#", "ws://host/#a", "ws://", "ws://a b/", "wss://h:99999/", "javascript:1", "mailto:a@b"]) {
  throws(() => new WebSocket(url), { name: "SyntaxError", code: 12 }, `new WebSocket("${url}")`);
}
for (const protocols of ["", " ", "a b", "a,b", "a\r\nb", "é", "(x)", ["a", "a"], ["a", "A"], [""], ["x", null, "null"], "a/b", "[", "\x7f"]) {
  throws(() => new WebSocket("ws://host/", protocols), { name: "SyntaxError" }, `protocols ${JSON.stringify(protocols)}`);
}

// ---- pairs

const pair = new WebSocketPair();
same(Object.keys(pair), ["0", "1"]);
same([...pair].length, 2);
const [a, b] = Object.values(pair);
check(a instanceof WebSocket && b instanceof WebSocket);
same([a.readyState, a.url, a.protocol, a.extensions, a.binaryType, a.bufferedAmount], [1, "", "", "", "arraybuffer", 0]);
throws(() => a.send("x"), { name: "TypeError" }, "send before accept");
throws(() => a.close(), { name: "TypeError" }, "close before accept");
a.accept();
a.accept();
throws(() => a.send(), { name: "TypeError" });
a.send("before the other accepts");
const bytes = new Uint8Array([1, 2, 3]);
a.send(bytes);
bytes[0] = 9;
a.send(bytes.subarray(1).buffer);
a.send(new DataView(bytes.buffer, 1, 1));
a.send(new Blob(["blob"]));
a.send(12);
a.send("\ud800");

const got = [];
b.addEventListener("message", (e) => {
  check(e instanceof MessageEvent && e.isTrusted && e.target === b && e.origin === "");
  got.push(typeof e.data === "string" ? e.data : [...new Uint8Array(e.data)].join());
});
await sleep(5);
same(got, []);
b.accept();
await sleep(5);
same(got, ["before the other accepts", "1,2,3", "9,2,3", "2", "98,108,111,98", "12", "\ufffd"]);

b.binaryType = "blob";
b.binaryType = "other";
same(b.binaryType, "blob");
const blob = new Promise((r) => { b.onmessage = (e) => r(e.data); });
a.send(new Uint8Array([65]));
same(await (await blob).text(), "A");

// Microtasks of one message run before the next.
const order = [];
b.onmessage = (e) => { order.push(e.data); Promise.resolve().then(() => order.push(`after ${e.data}`)); };
a.send("1");
a.send("2");
await sleep(5);
same(order, ["1", "after 1", "2", "after 2"]);

for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, NaN, "x", -1]) throws(() => a.close(code), { name: "TypeError" }, `close(${code})`);
throws(() => a.close(3000, "x".repeat(124)), { name: "SyntaxError" });
throws(() => a.close(3000, "é".repeat(62)), { name: "SyntaxError" });
throws(() => a.close(undefined, "why"), { name: "TypeError" });
const closes = [];
for (const [name, end] of [["a", a], ["b", b]]) {
  end.onclose = (e) => {
    check(e instanceof CloseEvent && e.isTrusted);
    closes.push([name, e.code, e.reason, e.wasClean, end.readyState]);
  };
}
a.send("last");
a.close(4000, "ende");
same([a.readyState, b.readyState], [2, 1]);
a.close();
throws(() => a.send("late"), { name: "TypeError" });
await sleep(5);
same(order.at(-2), "last");
same(closes, [["b", 4000, "ende", true, 3], ["a", 4000, "ende", true, 3]]);
same([a.readyState, b.readyState], [3, 3]);
throws(() => b.send("late"), { name: "TypeError" });
b.close();

const second = new WebSocketPair();
second[0].accept();
second[1].accept();
const status = new Promise((r) => { second[1].onclose = (e) => r([e.code, e.reason, e.wasClean]); });
second[0].close();
same(await status, [1005, "", true]);

// Listeners that throw do not stop the next message.
const third = new WebSocketPair();
third[0].accept();
third[1].accept();
addEventListener("error", (e) => { e.preventDefault(); order.push(e.error); });
third[1].onmessage = (e) => { order.push(e.data); throw e.data; };
third[0].send("x");
third[0].send("y");
await sleep(5);
same(order.slice(-4), ["x", "x", "y", "y"]);

same(new Response("x").webSocket, null);
throws(() => Object.getOwnPropertyDescriptor(Response.prototype, "webSocket").get.call({}), { name: "TypeError" });
throws(() => WebSocket.prototype.send.call({}, "x"), { name: "TypeError" });
await rejects(async () => { WebSocket.prototype.accept.call(new EventTarget()); }, { name: "TypeError" });
done();
