// What the bench asks of both servers: workers that this one makes.
import honoSource from "hono-app.txt";
import apiSource from "hono-api.txt";

const compatibilityDate = "2026-08-01";

const tiny = (id) => ({
  compatibilityDate,
  mainModule: "main.js",
  modules: { "main.js": `export default { fetch(request, env) { return new Response("worker " + env.ID); } };` },
  env: { ID: id },
  globalOutbound: null,
});

const hono = (source) => ({
  compatibilityDate,
  mainModule: "main.js",
  modules: { "main.js": source },
  globalOutbound: null,
});

const adder = () => ({
  compatibilityDate,
  mainModule: "main.js",
  modules: {
    "main.js": `import { WorkerEntrypoint } from "cloudflare:workers";
export default class extends WorkerEntrypoint { add(a, b) { return a + b; } }`,
  },
  globalOutbound: null,
});

async function ask(stub, url = "http://worker/") {
  const response = await stub.getEntrypoint().fetch(url);
  return response.text();
}

const byID = (env, id) => env.LOADER.get("worker-" + id, () => tiny(id));

let made = 0;
let started;

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    started ??= Date.now();
    const number = (name) => Number(url.searchParams.get(name));
    switch (url.pathname.slice(url.pathname.lastIndexOf("/"))) {
      case "/get":
        return byID(env, number("id")).getEntrypoint().fetch("http://worker/");
      case "/load":
        return env.LOADER.load(tiny(1)).getEntrypoint().fetch("http://worker/");
      case "/load-hono":
        return env.LOADER.load(hono(honoSource)).getEntrypoint().fetch("http://worker/items/7");
      case "/load-new":
        return env.LOADER.load(hono(honoSource + `\n// ${started} ${++made}`)).getEntrypoint().fetch("http://worker/items/7");
      case "/hono":
        return env.LOADER.get("hono", () => hono(apiSource)).getEntrypoint().fetch("http://worker/api/items/7?verbose=1");
      case "/call": {
        const target = env.LOADER.get("adder", adder).getEntrypoint();
        let sum = 0;
        for (let i = number("n"); i > 0; i--) sum = await target.add(sum, 1);
        return new Response("sum " + sum);
      }
      case "/register": {
        const from = number("from");
        for (let i = number("n") - 1; i >= 0; i--) byID(env, from + i);
        return new Response("registered");
      }
      case "/spawn": {
        const from = number("from");
        const end = from + number("n");
        let right = 0;
        for (let at = from; at < end; at += 64) {
          const answers = await Promise.all(Array.from({ length: Math.min(64, end - at) }, (_, i) => ask(byID(env, at + i))));
          answers.forEach((text, i) => { if (text === "worker " + (at + i)) right++; });
        }
        return new Response("right " + right);
      }
    }
    return new Response("not found", { status: 404 });
  },
};
