//go:build mayfly_tuned

package worker

import (
	"archive/zip"
	"io"
	"mayfly/host/op"
	"mayfly/host/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// FastAPI is an application of ASGI. Its packages come as a project vendors them,
// in python_modules.
func TestPythonFastAPI(t *testing.T) {
	s := newPythonService(t)
	def := pythonScript(`
import asyncio, asgi
from contextlib import asynccontextmanager
from fastapi import FastAPI, Request, HTTPException, Depends
from fastapi.responses import StreamingResponse, PlainTextResponse
from pydantic import BaseModel
from workers import WorkerEntrypoint

@asynccontextmanager
async def lifespan(app):
    app.state.started = True
    yield

app = FastAPI(lifespan=lifespan)

class Item(BaseModel):
    name: str
    price: float = 1.5
    tags: list[str] = []

@app.get("/")
async def root():
    return {"message": "hello", "started": app.state.started}

@app.get("/items/{item_id}")
def read_item(item_id: int, q: str | None = None):
    return {"item_id": item_id, "q": q}

@app.post("/items", status_code=201)
async def create(item: Item):
    await asyncio.sleep(0.001)
    return item

@app.get("/env")
async def env(request: Request):
    return {"var": request.scope["env"].NAME}

@app.get("/stream")
async def stream():
    async def parts():
        for i in range(3):
            yield f"{i};"
            await asyncio.sleep(0.001)
    return StreamingResponse(parts(), media_type="text/plain")

@app.get("/gone")
async def gone(): raise HTTPException(410, "gone")

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await asgi.fetch(app, request, self.env, self.ctx)
`)
	addWheels(t, def.Code)
	def.Variables = map[string]string{"NAME": "value"}
	w := s.Worker(def).Entrypoint("", rpc.Value{}, Limits{})
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/", "", `200 {"message":"hello","started":true}`},
		{"GET", "/items/5?q=x", "", `200 {"item_id":5,"q":"x"}`},
		{"GET", "/items/abc", "", `422 {"detail":[{"loc":["path","item_id"],"msg":"value is not a valid integer","type":"type_error.integer"}]}`},
		{"POST", "/items", `{"name": "n", "tags": ["a"]}`, `201 {"name":"n","price":1.5,"tags":["a"]}`},
		{"POST", "/items", `{}`, `422 {"detail":[{"loc":["body","name"],"msg":"field required","type":"value_error.missing"}]}`},
		{"GET", "/env", "", `200 {"var":"value"}`},
		{"GET", "/stream", "", "200 0;1;2;"},
		{"GET", "/gone", "", `410 {"detail":"gone"}`},
		{"GET", "/nothing", "", `404 {"detail":"Not Found"}`},
	} {
		r := &rpc.Request{Method: c.method, URL: "http://example.com" + c.path}
		if c.body != "" {
			r.Body.Bytes = []byte(c.body)
			r.Header = append(r.Header, op.Pair{Name: "content-type", Value: "application/json"})
		}
		response, err := w.Fetch(t.Context(), r)
		if err != nil {
			e := errorRecord(err)
			t.Fatalf("%s %s: %v\n%s", c.method, c.path, err, e.Stack)
		}
		if got := itoa(response.Status) + " " + content(t, response); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.method, c.path, got, c.want)
		}
	}
}

// fastAPI are the versions that have no native code: later ones need a part of
// pydantic that is in Rust.
var fastAPI = []string{
	"fastapi==0.112.4", "starlette==0.38.6", "pydantic==1.10.26", "anyio==4.16.0", "idna==3.20", "typing_extensions==4.16.0",
}

// addWheels adds the modules of FastAPI and what it needs, as pip fetches them.
func addWheels(t *testing.T, code *Code) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cache, "mayfly", "test", "fastapi-0.112.4")
	wheels, _ := filepath.Glob(filepath.Join(folder, "*.whl"))
	if len(wheels) < len(fastAPI) {
		arguments := append([]string{"-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none", "--dest", folder}, fastAPI...)
		if out, err := exec.Command("python3", arguments...).CombinedOutput(); err != nil {
			t.Fatalf("pip: %v\n%s", err, out)
		}
		wheels, _ = filepath.Glob(filepath.Join(folder, "*.whl"))
	}
	for _, wheel := range wheels {
		archive, err := zip.OpenReader(wheel)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(f.Name, "/") {
				continue
			}
			kind := Text
			if strings.HasSuffix(f.Name, ".py") {
				kind = Python
			}
			code.Modules["python_modules/"+f.Name] = Module{kind, content}
		}
		archive.Close()
	}
}
