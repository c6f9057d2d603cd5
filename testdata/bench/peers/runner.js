// Runs the worker that a request posts as {"code": "..."}: POST /load in a
// fresh isolate each time, POST /get in one that is kept.
export default {
  async fetch(request, env) {
    const { code } = await request.json();
    const worker = () => ({
      compatibilityDate: "2026-08-01",
      mainModule: "main.js",
      modules: { "main.js": code },
      globalOutbound: null,
    });
    let stub;
    switch (new URL(request.url).pathname) {
      case "/load":
        stub = env.LOADER.load(worker());
        break;
      case "/get":
        stub = env.LOADER.get("kept", async () => worker());
        break;
      default:
        return new Response("not found", { status: 404 });
    }
    return stub.getEntrypoint().fetch("http://worker/");
  },
};
