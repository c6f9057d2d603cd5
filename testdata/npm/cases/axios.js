// talks to the peer
import axios from "axios";
import { equal, match, ok } from "../check.js";

const url = process.env.PEER;
const client = axios.create({ baseURL: url, headers: { "x-test": "1" } });
const got = await client.get("/echo", { params: { a: [1, 2], q: "x y" } });
equal([got.status, got.data.method, got.data.headers["x-test"]], [200, "GET", "1"]);
match(got.data.url, /^\/echo\?a(\[\]|%5B%5D)=1&a(\[\]|%5B%5D)=2&q=x\+y$/);
const posted = await client.post("/echo", { n: 1 });
equal([posted.data.body, posted.data.headers["content-type"]], ['{"n":1}', "application/json"]);
client.interceptors.request.use((c) => { c.headers.set("x-added", "yes"); return c; });
client.interceptors.response.use((r) => ({ ...r, seen: true }));
const intercepted = await client.put("/echo", new URLSearchParams({ f: "v" }));
equal([intercepted.seen, intercepted.data.headers["x-added"], intercepted.data.body], [true, "yes", "f=v"]);
const failure = await client.get("/status/503").catch((e) => e);
equal([failure.name, failure.code, failure.response.status, axios.isAxiosError(failure)], ["AxiosError", "ERR_BAD_RESPONSE", 503, true]);
const slow = await client.get("/slow", { timeout: 50 }).catch((e) => e);
match(slow.code, /^(ETIMEDOUT|ECONNABORTED)$/);
const bytes = await client.get("/bytes", { responseType: "arraybuffer" });
ok(new Uint8Array(bytes.data)[3] === 3, "not the bytes");
const controller = new AbortController();
const canceled = client.get("/slow", { signal: controller.signal }).catch((e) => e);
controller.abort();
equal(axios.isCancel(await canceled), true);
