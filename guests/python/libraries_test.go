package python

import (
	"context"
	_ "embed"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"mayfly/guests/registry"
	"mayfly/host/vfs"
)

//go:embed testdata/wheels.json
var wheelsText []byte

// libraries is a layer with requests, httpx and what they need.
func libraries(t testing.TB) vfs.Mount {
	t.Helper()
	var wheels []registry.Package
	if err := json.Unmarshal(wheelsText, &wheels); err != nil {
		t.Fatal(err)
	}
	var sources []vfs.Source
	for _, w := range wheels {
		folder, err := w.Fetch(context.Background(), filepath.Join(cacheDir(t), "test-packages"), func(string) bool { return true }, func(string, float64) {})
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, vfs.Source{FS: os.DirFS(folder)})
	}
	path := filepath.Join(t.TempDir(), "libraries.layer")
	if err := vfs.BuildLayer(path, vfs.BuildOptions{}, sources...); err != nil {
		t.Fatal(err)
	}
	layer, err := vfs.OpenLayer(path)
	if err != nil {
		t.Fatal(err)
	}
	return vfs.Mount{At: "/usr/local/lib/packages", Layer: layer, ReadOnly: true}
}

func TestRequests(t *testing.T) {
	n := newNetwork(t)
	n.run(t, "import sys; sys.path.insert(0, '/usr/local/lib/packages')\n"+show+`
import requests, urllib3, warnings
warnings.simplefilter("ignore")
show(lambda: requests.get(HTTP + "/json").json())
show(lambda: requests.get(HTTPS + "/json", timeout=(3, 10)).json())
def session():
    with requests.Session() as s:
        s.headers["X-Sent"] = "kept"
        r = [s.post(HTTPS + "/echo", json={"n": i}) for i in range(3)]
        return [x.json() for x in r], r[0].headers["X-Sent"], r[0].headers["etag"], r[0].headers["X-Type"]
show(session)
def redirect():
    r = requests.get(HTTPS + "/redirect")
    return [h.status_code for h in r.history], r.url == HTTPS + "/json"
show(redirect)
show(lambda: requests.get(HTTP + "/none").status_code)
show(lambda: requests.get(HTTP + "/none").raise_for_status())
show(lambda: requests.get(HTTP + "/gzip").text[:11])
show(lambda: len(requests.get(HTTPS + "/big").content))
show(lambda: list(requests.get(HTTP + "/lines", stream=True).iter_lines()))
show(lambda: requests.post(HTTPS + "/echo", data=(b"z" * 1000 for i in range(100))).headers["X-Length"])
show(lambda: len(requests.post(HTTP + "/echo", files={"f": ("n.txt", b"z" * 1000)}).content) > 1000)
show(lambda: requests.put(HTTP + "/echo", data={"a": "b c"}).text)
show(lambda: requests.get(HTTPS + "/json", verify=False).status_code)
show(lambda: requests.get(HTTP + "/slow", timeout=0.2))
show(lambda: requests.get("https://example.com/"))
show(lambda: requests.get(CLOSED))
show(lambda: requests.get(HTTP.replace("http", "https") + "/json"))
show(lambda: requests.get(HTTP + "/json", proxies={"http": HTTP}))
show(lambda: requests.get(HTTP + "/cut"))
show(lambda: urllib3.PoolManager().request("GET", HTTPS + "/csv").data)
show(lambda: urllib3.PoolManager().request("GET", HTTP + "/redirect").json())
`, libraries(t)).lines(t,
		`{'a': [1, 2]}`,
		`{'a': [1, 2]}`,
		`([{'n': 0}, {'n': 1}, {'n': 2}], 'kept', '"tag"', 'application/json')`,
		`([302], True)`,
		`404`,
		`requests.exceptions.HTTPError 404 Client Error: Not Found for url…`,
		`'hello hello'`,
		`3000000`,
		`[b'line 0', b'line 1', b'line 2', b'line 3', b'line 4']`,
		`'-1'`,
		`True`,
		`'a=b+c'`,
		`200`,
		`requests.exceptions.ReadTimeout…`,
		`requests.exceptions.ConnectionError HTTPSConnectionPool(host='example.com', port=443): Max retries exceeded with url: / (Caused by NewConnectionError('HTTPSConnection(host=\'example.com\', port=443): Failed to establish a new connection: [Errno 2] egress to example.com:443 is not allowed by the network policy: no rule matches the host…`,
		`requests.exceptions.ConnectionError…`,
		`requests.exceptions.SSLError…`,
		`requests.exceptions.ConnectionError ('Connection aborted.', OSError(66, 'the sandbox uses no proxies…`,
		`requests.exceptions.ChunkedEncodingError…`,
		`b'a,b\n1,2\n3,4\n'`,
		`{'a': [1, 2]}`,
	)
}

func TestHTTPX(t *testing.T) {
	n := newNetwork(t)
	n.run(t, "import sys; sys.path.insert(0, '/usr/local/lib/packages')\n"+show+`
import asyncio, httpx
show(lambda: httpx.get(HTTP + "/json").json())
def client():
    with httpx.Client() as c:
        return [c.get(HTTPS + "/json").json()["a"] for _ in range(3)], c.get(HTTPS + "/redirect", follow_redirects=True).status_code
show(client)
show(lambda: httpx.post(HTTPS + "/echo", json={"a": 1}).text)
show(lambda: len(httpx.get(HTTPS + "/big").content))
show(lambda: httpx.get(HTTP + "/gzip").text[:11])
def lines():
    with httpx.stream("GET", HTTPS + "/lines") as r:
        return list(r.iter_lines())
show(lines)
show(lambda: httpx.get("https://example.com/"))
show(lambda: httpx.get(CLOSED))
show(lambda: httpx.get(HTTP + "/slow", timeout=0.2))
show(lambda: httpx.get(HTTP.replace("http", "https") + "/json"))
show(lambda: httpx.get(HTTP + "/cut"))
async def gathered():
    async with httpx.AsyncClient() as c:
        rs = await asyncio.gather(*[c.get((HTTPS if i % 2 else HTTP) + "/json") for i in range(10)])
        r = await c.post(HTTPS + "/echo", content=b"q" * 200_000)
        return {r.text for r in rs}, len(r.content), r.headers["X-Length"]
show(lambda: asyncio.run(gathered()))
async def streamed():
    async def parts():
        for i in range(20):
            await asyncio.sleep(0)
            yield b"w" * 50_000
    async with httpx.AsyncClient(http2=False) as c:
        async with c.stream("GET", HTTPS + "/lines") as r:
            lines = [line async for line in r.aiter_lines()]
        r = await c.post(HTTPS + "/echo", content=parts())
        return lines, r.headers["X-Length"], len(r.content)
show(lambda: asyncio.run(streamed()))
async def get(url, **options):
    async with httpx.AsyncClient(**options) as c:
        return await c.get(url)
show(lambda: asyncio.run(get("https://example.com/")))
show(lambda: asyncio.run(get("http://10.0.0.1/")))
show(lambda: asyncio.run(get(HTTP + "/slow", timeout=0.2)))
show(lambda: asyncio.run(get(HTTP.replace("http", "https") + "/json")))
show(lambda: asyncio.run(get(HTTP + "/cut")))
`, libraries(t)).lines(t,
		`{'a': [1, 2]}`,
		`([[1, 2], [1, 2], [1, 2]], 200)`,
		`'{"a":1}'`,
		`3000000`,
		`'hello hello'`,
		`['line 0', 'line 1', 'line 2', 'line 3', 'line 4']`,
		`httpx.ConnectError [Errno 2] egress to example.com:443 is not allowed by the network policy…`,
		`httpx.ConnectError [Errno 14] the connection was refused (127.0.0.1:1)`,
		`httpx.ReadTimeout timed out`,
		`httpx.ConnectError the server does not speak TLS on this port…`,
		`httpx.ReadError…`,
		`({'{"a": [1, 2]}'}, 200000, '200000')`,
		`(['line 0', 'line 1', 'line 2', 'line 3', 'line 4'], '-1', 1000000)`,
		`httpx.ConnectError [Errno 2] egress to example.com:443 is not allowed by the network policy…`,
		`httpx.ConnectError All connection attempts failed`,
		`httpx.ReadTimeout…`,
		`httpx.ConnectError the server does not speak TLS on this port…`,
		`httpx.ReadError…`,
	)
}
