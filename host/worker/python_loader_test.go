//go:build mayfly_tuned

package worker

import "testing"

// A loader makes workers in Python, which get stubs and an outbound as others do.
func TestPythonLoaded(t *testing.T) {
	s := newPythonService(t)
	def := script(`
import { WorkerEntrypoint } from "cloudflare:workers";
export class Room extends WorkerEntrypoint {
  #log = [];
  post(text) { return this.ctx.props.name + ": " + text }
}
export class Outbound extends WorkerEntrypoint {
  fetch(request) { return new Response("intercepted " + request.url + " " + request.headers.get("x-secret")) }
}
const source = ` + "`" + `
from workers import *
import urllib.request
import text
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        posted = await self.env.ROOM.post("hi")
        out = await (await fetch("http://outside/path", headers={"x-secret": "s"})).text()
        blocking = urllib.request.urlopen("http://outside/blocking").read().decode()
        return Response(" | ".join([posted, out, blocking, text.VALUE]))
class Other(WorkerEntrypoint):
    def add(self, a, b): return a + b + self.ctx.props["c"]
` + "`" + `;
export default {
  async fetch(request, env, ctx) {
    const worker = env.LOADER.get("a", () => ({
      compatibilityDate: "2026-01-01", mainModule: "main.py", modules: { "main.py": source, "text.py": { py: "VALUE = 'other module'" } },
      env: { ROOM: ctx.exports.Room({ props: { name: "py" } }) }, globalOutbound: ctx.exports.Outbound(),
    }));
    const text = await (await worker.getEntrypoint().fetch(request)).text();
    const sum = await worker.getEntrypoint("Other", { props: { c: 3 } }).add(1, 2);
    const missing = await worker.getEntrypoint("Nothing").add(1).catch((e) => e.message);
    const blocked = await env.LOADER.load({ compatibilityDate: "2026-01-01", mainModule: "main.py", globalOutbound: null,
      modules: { "main.py": "from workers import *\nclass Default(WorkerEntrypoint):\n    async def fetch(self, request):\n        try: await fetch('http://x/')\n        except Exception as e: return Response(str(e))" } })
      .getEntrypoint().fetch("http://x/").then((r) => r.text());
    const broken = await env.LOADER.load({ compatibilityDate: "2026-01-01", mainModule: "main.py", modules: { "main.py": "raise ValueError('at start')" } })
      .getEntrypoint().fetch("http://x/").catch((e) => e.name + ": " + e.message);
    return Response.json([text, sum, missing, blocked, broken]);
  }
}`)
	def.Loaders = []LoaderBinding{{"LOADER"}}
	_, body := get(t, entry(s, def), "http://parent/")
	want := `["py: hi | intercepted http://outside/path s | intercepted http://outside/blocking null | other module",6,"Worker has no such entrypoint: Nothing",` +
		`"This worker is not permitted to access the internet via global functions like fetch(). It must use capabilities (such as bindings in 'env') to talk to the outside world.","Error: Failed to start Worker:\nUncaught ValueError: at start\nTraceback (most recent call last):\n  File \"/session/metadata/main.py\", line 1, in <module>\n    raise ValueError('at start')\nValueError: at start"]`
	if body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

// Workers in Python load others, of either language.
func TestPythonLoader(t *testing.T) {
	s := newPythonService(t)
	def := pythonScript(`
from workers import *
JS = """
export default { async fetch(request, env) { return Response.json([env.settings.deep, await env.room.post("js")]) } }
"""
PY = """
from workers import *
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(str(env.settings) + await (await fetch("http://out/")).text())
    def add(self, a, b): return a + b + self.ctx.props.c
"""
class Room(WorkerEntrypoint):
    def post(self, text): return self.ctx.props["name"] + ":" + text
class Outbound(WorkerEntrypoint):
    def fetch(self, request): return Response("intercepted " + request.url)
asked = 0
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        room = self.ctx.exports.Room(props={"name": "room"})
        js = self.env.LOADER.load({"compatibilityDate": "2026-01-01", "mainModule": "m.js", "modules": {"m.js": JS}, "env": {"settings": {"deep": [1]}, "room": room}})
        out = [await (await js.get_entrypoint().fetch(request)).text()]
        async def code():
            global asked
            asked += 1
            return {"compatibility_date": "2026-01-01", "main_module": "m.py", "modules": {"m.py": {"py": PY}}, "env": {"settings": {"a": 1}}, "global_outbound": self.ctx.exports.Outbound}
        for _ in range(2):
            py = self.env.LOADER.get("one", code)
            out.append(await (await py.get_entrypoint().fetch(request)).text())
            out.append(await py.getEntrypoint(None, {"props": {"c": 3}}).add(1, 2))
        out.append(asked)
        async def fails(): raise ValueError("no code")
        for what in (lambda: self.env.LOADER.load({"modules": {}}), lambda: self.env.LOADER.get("bad", fails).getEntrypoint().anything()):
            try:
                await what()
            except Exception as e:
                out.append(str(e).partition("\n")[0])
        return Response.json(out)
`)
	def.Loaders = []LoaderBinding{{"LOADER"}}
	_, body := get(t, entry(s, def), "http://parent/")
	want := `["[[1],\"room:js\"]","{'a': 1}intercepted http://out/",6,"{'a': 1}intercepted http://out/",6,1,"Dynamic Worker code must contain at least one module.","no code"]`
	if body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}
