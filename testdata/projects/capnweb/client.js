// Calls the worker from node, and has it call this process: `node
// --experimental-websocket client.js URL PART…` prints what came of each part.
import http from "node:http";
import { RpcTarget, newHttpBatchRpcSession, newWebSocketRpcSession, nodeHttpBatchRpcResponse } from "capnweb";

const [url, ...wanted] = process.argv.slice(2);
const socketURL = url.replace("http", "ws");

class Counter extends RpcTarget {
  #n;
  constructor(n) { super(); this.#n = n; }
  add(k = 1) { return (this.#n += k); }
}
class Here extends RpcTarget {
  greet(name) { return `node greets ${name}`; }
  counter(n) { return new Counter(n); }
}

const parts = {
  async batch() {
    const api = newHttpBatchRpcSession(url);
    const counter = api.counter(10);
    return await Promise.all([
      api.greet("node"), counter.add(1), counter.add(2), api.users().map((user) => api.name(user.id)), api.double(21), api.inner().add(2),
    ]);
  },
  error: () => newHttpBatchRpcSession(url).fail().catch((e) => [e.name, e.message, e instanceof RangeError]),
  async values() {
    const value = { date: new Date(5), big: 12345678901234567890n, bytes: new Uint8Array([1, 2, 3]), list: [undefined, NaN], error: new TypeError("passed") };
    const back = await newHttpBatchRpcSession(url).echo(value);
    return [back.date.getTime(), `${back.big}`, [...back.bytes], Number.isNaN(back.list[1]), back.error.message];
  },
  // The worker is the client, of this process.
  async worker() {
    const server = http.createServer((request, response) => nodeHttpBatchRpcResponse(request, response, new Here()));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      return await newHttpBatchRpcSession(url).batch(`http://127.0.0.1:${server.address().port}/`);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  },
  async socket() {
    const api = newWebSocketRpcSession(socketURL);
    const counter = await api.counter(1);
    const results = [await counter.add(1), await counter.value, await api.call((n) => n * 2, 20), await api.inner().add(1), await api.counter(7).add(3)];
    counter[Symbol.dispose]();
    const many = await Promise.all(Array.from({ length: 50 }, (_, i) => api.echo(i)));
    const length = (await api.echo("é".repeat(100000))).length;
    api[Symbol.dispose]();
    return [...results, many.reduce((x, y) => x + y, 0), length];
  },
  // The worker is a client of itself, by a socket.
  itself: () => newHttpBatchRpcSession(url).socket(socketURL),
};

for (const name of wanted) console.log(name, JSON.stringify(await parts[name]()));
