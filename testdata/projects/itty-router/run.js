import worker from "./index.js";
const ask = async (path, init) => { const r = await worker.fetch(new Request("http://x" + path, init)); console.log(r.status, await r.text()); };
await ask("/");
await ask("/api/users/7?q=a");
await ask("/api/echo", { method: "POST", body: '{"a":1}' });
await ask("/fail");
await ask("/none");
