// WebSocket, after its standard, and the sockets of responses, against a server.
import { check, done, rejects, same, throws } from "./check.js";

const host = process.env.SERVER;
const address = `ws://${host}/socket`;
const event = (socket, type) => new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }));
async function open(url = address, protocols) {
  const socket = new WebSocket(url, protocols);
  await event(socket, "open");
  return socket;
}

const s = new WebSocket(address, ["x", "chat"]);
same([s.readyState, s.url, s.protocol, s.extensions, s.bufferedAmount, s.binaryType], [0, address, "", "", 0, "blob"]);
throws(() => s.send("early"), { name: "InvalidStateError" });
const order = [];
s.onopen = (e) => { order.push("open"); same([e.type, e.isTrusted, s.readyState], ["open", true, 1]); };
s.addEventListener("open", () => order.push("listener"));
await event(s, "open");
same([order, s.protocol], [["open", "listener"], "chat"]);
throws(() => s.accept(), { name: "TypeError" });

async function echo(data) {
  const answer = event(s, "message");
  s.send(data);
  return (await answer).data;
}
for (const text of ["", "a", "h\u00e9\u20ac\u{1f600}", "\ufeffmark", "\0\r\n", "x".repeat(100_000)]) same(await echo(text), text);
same(await echo("\ud800"), "\ufffd");
same(await echo(12), "12");
const blob = await echo(new Uint8Array([1, 2, 255]));
check(blob instanceof Blob && blob.type === "");
same([...(await blob.bytes())], [1, 2, 255]);
s.binaryType = "arraybuffer";
for (const data of [new Uint8Array([7, 8]), new Uint8Array([0, 7, 8]).subarray(1), new Uint8Array([7, 8]).buffer, new DataView(new Uint8Array([7, 8]).buffer), new Blob([new Uint8Array([7, 8])])]) {
  const got = await echo(data);
  check(got instanceof ArrayBuffer);
  same([...new Uint8Array(got)], [7, 8]);
}
same((await echo(new Uint8Array(0))).byteLength, 0);

// What is sent waits, in order, and is counted.
const numbers = [];
s.onmessage = (e) => numbers.push(e.data);
const large = "y".repeat(200_000);
s.send(large);
for (let i = 0; i < 500; i++) s.send(`${i}`);
check(s.bufferedAmount >= large.length + 500, `bufferedAmount ${s.bufferedAmount}`);
while (numbers.length < 501) await event(s, "message");
same([numbers[0].length, numbers[1], numbers[500], numbers.every((n, i) => i === 0 || n === `${i - 1}`)], [200_000, "0", "499", true]);
same(s.bufferedAmount, 0);
const message = event(s, "message");
s.send("x");
const m = await message;
same([m instanceof MessageEvent, m.origin, m.lastEventId, m.source, m.ports.length], [true, `ws://${host}`, "", null, 0]);

// Closing.
for (const code of [0, 999, 1001, 1005, 1006, 2999, 5000]) throws(() => s.close(code), { name: "InvalidAccessError", code: 15 }, `close(${code})`);
throws(() => s.close(1000, "\u00e9".repeat(62)), { name: "SyntaxError" });
s.onmessage = () => check(false, "no message comes after close()");
const closed = event(s, "close");
s.send("lost");
s.close(3000, "d\u00f6ne");
same(s.readyState, 2);
s.send("late");
check(s.bufferedAmount >= 4, "what is sent late is counted");
const c = await closed;
same([c instanceof CloseEvent, c.code, c.reason, c.wasClean, s.readyState], [true, 3000, "d\u00f6ne", true, 3]);
s.close();

async function ends(act, wanted, failed) {
  const socket = await open();
  let error = 0;
  socket.onerror = (e) => { error++; check(e instanceof ErrorEvent && socket.readyState === 3); };
  const end = event(socket, "close");
  act(socket);
  const e = await end;
  same([e.code, e.reason, e.wasClean, error], [...wanted, failed ? 1 : 0], act.toString());
}
await ends((x) => x.close(), [1005, "", true]);
await ends((x) => x.close(1000), [1000, "", true]);
await ends((x) => x.close(4999, "r"), [4999, "r", true]);
await ends((x) => x.close(undefined, "r"), [1000, "r", true]);
await ends((x) => x.send("close 4001"), [4001, "by the server", true]);
await ends((x) => x.send("close 1001"), [1001, "by the server", true]);
await ends((x) => x.send("drop"), [1006, "", false], true);
await ends((x) => x.send("send 16777217"), [1006, "", false], true);
await ends((x) => x.send(new Uint8Array(16_777_217)), [1006, "", false], true);

async function fails(make, what) {
  const socket = make();
  const got = [];
  socket.onopen = () => got.push("open");
  socket.onerror = (e) => got.push("error", typeof e.message);
  const e = await event(socket, "close");
  same([got, e.code, e.wasClean, socket.readyState], [["error", "string"], 1006, false, 3], what);
}
await fails(() => { const x = new WebSocket(address); x.close(); same(x.readyState, 2); return x; }, "closed before it was open");
await fails(() => new WebSocket(`ws://${host}/bytes?n=5`), "no socket");
await fails(() => new WebSocket(`ws://${host}/?status=302&location=/socket`), "a redirect");
await fails(() => new WebSocket(`ws://${host}/?status=404`), "not found");
await fails(() => new WebSocket(`wss://${host}/socket`), "no TLS");
await fails(() => new WebSocket("ws://10.0.0.1/"), "refused by the policy");
await fails(() => new WebSocket("ws://127.0.0.1:1/"), "no rule for the port");
same((await open(`http://${host}/socket`)).url, address);

// ---- sockets of responses

const response = await fetch(`http://${host}/socket`, { headers: { Upgrade: "WebSocket", "Sec-WebSocket-Protocol": "x, chat" } });
const w = response.webSocket;
same([response.status, response.body, w instanceof WebSocket, w === response.webSocket, w.protocol, w.url], [101, null, true, true, "chat", address]);
throws(() => w.send("x"), { name: "TypeError" });
w.accept();
w.accept();
const binary = event(w, "message");
w.send(new Uint8Array([1]));
check((await binary).data instanceof ArrayBuffer);
const end = event(w, "close");
w.close(1001, "away");
const e = await end;
same([e.code, e.reason, e.wasClean], [1001, "away", true]);
throws(() => w.send("x"), { name: "TypeError" });

const no = await fetch(`http://${host}/bytes?n=200000`, { headers: { upgrade: "websocket" } });
same([no.status, no.webSocket, (await no.bytes()).length], [200, null, 200_000]);
await rejects(fetch(`http://${host}/socket`, { method: "POST", headers: { upgrade: "websocket" }, body: "x" }), { name: "TypeError" });
await rejects(fetch(`http://${host}/?status=302&location=/socket`, { headers: { upgrade: "websocket" } }), { name: "TypeError" });
const stop = new AbortController();
const stopped = fetch(`http://${host}/slow`, { headers: { upgrade: "websocket" }, signal: stop.signal });
setTimeout(() => stop.abort(), 10);
await rejects(stopped, { name: "AbortError" });
await fetch(`http://${host}/socket`, { headers: { upgrade: "websocket" } }); // one that is never accepted keeps nothing waiting

// Many at once.
const many = await Promise.all(Array.from({ length: 20 }, () => open()));
const said = await Promise.all(many.map((x, i) => { const got = event(x, "message"); x.send(`${i}`); return got.then((m) => m.data); }));
same(said.join(), Array.from({ length: 20 }, (_, i) => i).join());
const ended = many.map((x) => event(x, "close"));
for (const x of many) x.close();
await Promise.all(ended);
done();
process.exit(); // one socket above is still open
