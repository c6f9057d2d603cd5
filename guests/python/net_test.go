package python

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"mayfly/host/egress"
	"mayfly/host/fetch"
	"mayfly/host/op"
	"mayfly/host/vfs"
	"mayfly/host/wasi"
	"mayfly/runtime/isolate"
)

// network is a server over HTTP and one over HTTPS, and a client that trusts it.
type network struct {
	plain, secure *httptest.Server
	guard         *egress.Guard
	client        *fetch.Client
}

func newNetwork(t testing.TB) *network {
	n := &network{
		plain:  httptest.NewServer(http.HandlerFunc(serve)),
		secure: httptest.NewUnstartedServer(http.HandlerFunc(serve)),
		guard:  egress.NewGuard(egress.Config{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}),
	}
	n.secure.EnableHTTP2 = true
	n.secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	n.secure.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(n.secure.Certificate())
	n.client = fetch.NewClient(fetch.Config{Guard: n.guard, TLS: &tls.Config{RootCAs: roots}})
	t.Cleanup(func() {
		n.client.Close()
		n.plain.Close()
		n.secure.Close()
	})
	return n
}

// serve is what the servers do.
func serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/echo":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("X-Query", r.URL.RawQuery)
		w.Header().Set("X-Proto", r.Proto)
		w.Header().Set("X-Length", strconv.FormatInt(r.ContentLength, 10))
		w.Header().Set("X-Sent", r.Header.Get("X-Sent"))
		w.Header().Set("X-Type", r.Header.Get("Content-Type"))
		w.Header().Set("ETag", `"tag"`)
		_, _ = w.Write(body)
	case "/json":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"a": [1, 2]}`)
	case "/csv":
		fmt.Fprint(w, "a,b\n1,2\n3,4\n")
	case "/gzip":
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, strings.Repeat("hello ", 1000))
		_ = z.Close()
	case "/big":
		w.Header().Set("Content-Length", "3000000")
		fmt.Fprint(w, strings.Repeat("x", 3_000_000))
	case "/lines":
		for i := range 5 {
			fmt.Fprintf(w, "line %d\n", i)
			w.(http.Flusher).Flush()
		}
	case "/redirect":
		http.Redirect(w, r, "/json", http.StatusFound)
	case "/away":
		http.Redirect(w, r, "http://example.com/", http.StatusFound)
	case "/empty":
		w.WriteHeader(http.StatusNoContent)
	case "/slow":
		select {
		case <-r.Context().Done():
		case <-time.After(20 * time.Second):
		}
	case "/cut":
		w.Header().Set("Content-Length", "200000")
		fmt.Fprint(w, strings.Repeat("y", 100_000))
		panic(http.ErrAbortHandler)
	default:
		http.Error(w, "nothing here", http.StatusNotFound)
	}
}

// connected is a platform that has the network.
type connected struct {
	*platform
	session *fetch.Session
	options fetch.Options
	client  *fetch.Client
}

func (c *connected) Start(iso *isolate.Isolate, number, id uint32, in []byte) {
	switch o := op.Op(number); o {
	case op.Fetch, op.BodyRead, op.BodyWrite, op.Connect:
		if c.session == nil {
			c.options.Settle = iso.Settle
			c.session = c.client.NewSession(c.options)
		}
		c.session.Start(o, id, in)
	default:
		c.platform.Start(iso, number, id, in)
	}
}

func (c *connected) Call(iso *isolate.Isolate, number uint32, in, out []byte) ([]byte, bool) {
	switch op.Op(number) {
	case op.BodyCancel:
		if c.session != nil {
			c.session.CancelBody(op.NewReader(in).U32())
		}
		return nil, true
	case op.Cancel:
		id := op.NewReader(in).U32()
		iso.Forget(id)
		if c.session != nil {
			c.session.Cancel(id)
		}
		return nil, true
	}
	return c.platform.Call(iso, number, in, out)
}

// run runs a program that knows the servers as HTTP and HTTPS. A rule opens
// them, and nothing else.
func (n *network) run(t testing.TB, source string, mounts ...vfs.Mount) *platform {
	t.Helper()
	shared := ready(t)
	base := shared.layer
	if len(mounts) > 0 {
		base = vfs.Stack(append([]vfs.Mount{{At: "/", Layer: base}}, mounts...)...)
	}
	h := &platform{timers: map[uint32]*time.Timer{}, tree: vfs.New(vfs.Options{Base: base})}
	h.system = wasi.New(wasi.Options{Tree: h.tree, Args: []string{"main.py"}, Write: func(fd int, b []byte) { h.write(fd, b) }})
	policy, err := n.guard.Compile([]egress.Rule{
		{Host: "127.0.0.1", Ports: []int{tcpPort(t, n.plain.URL), tcpPort(t, n.secure.URL), closedPort}},
		{Host: "only-post.example", Methods: []string{"POST"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &connected{platform: h, client: n.client, options: fetch.Options{Policy: policy, Limits: fetch.Limits{Subrequests: 200}}}
	head := fmt.Sprintf("HTTP, HTTPS, CLOSED = %q, %q, %q\n", n.plain.URL, n.secure.URL, fmt.Sprintf("http://127.0.0.1:%d/", closedPort))
	message := op.RunMessage{Name: "main.py", Source: head + source, Dir: h.tree.Cwd()}
	h.report, err = shared.runtime.Run(context.Background(), isolate.Job{
		Program: shared.program, Host: c, Tenant: "test", Event: uint32(op.EventRun), Message: message.Encode(),
		Limits: isolate.Limits{Wall: time.Minute, Memory: 256 << 20, Operations: 64},
	})
	if c.session != nil {
		c.session.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func tcpPort(t testing.TB, raw string) int {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// closedPort is one where nobody listens.
const closedPort = 1

// lines compares what a program printed with what is wanted, line by line; a
// wanted line that ends with … is a beginning.
func (h *platform) lines(t *testing.T, want ...string) {
	t.Helper()
	if h.report.Outcome != isolate.OK || h.failed != nil {
		t.Errorf("%s: %v\n%s\nfailed: %+v", h.report.Outcome, h.report.Err, h.stderr.String(), h.failed)
	}
	got := strings.Split(strings.TrimSuffix(h.stdout.String(), "\n"), "\n")
	for i := range max(len(got), len(want)) {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if start, ok := strings.CutSuffix(w, "…"); g != w && !(ok && strings.HasPrefix(g, start)) {
			t.Errorf("line %d: got %q, want %q", i+1, g, w)
		}
	}
}

// show prints what a function gives or raises.
const show = `
def show(f):
    try: print(repr(f()))
    except BaseException as e: print(type(e).__module__ + "." + type(e).__qualname__, e)
`

func TestURLLib(t *testing.T) {
	n := newNetwork(t)
	n.run(t, show+`
import json, urllib.request, urllib.error, ssl, pandas
from urllib.request import urlopen, Request
show(lambda: json.load(urlopen(HTTP + "/json")))
show(lambda: json.load(urlopen(HTTPS + "/json", timeout=10)))
def post():
    r = urlopen(Request(HTTPS + "/echo?q=1", data=b"b\xc3\xb6dy", headers={"X-Sent": "yes", "Content-Type": "text/plain"}))
    return r.status, r.headers["x-method"], r.headers["X-Query"], r.headers["X-Sent"], r.headers["X-Length"], r.read()
show(post)
show(lambda: urlopen(Request(HTTP + "/echo", method="DELETE")).headers["X-Method"])
def redirected():
    r = urlopen(HTTP + "/redirect")
    return r.url == HTTP + "/json", r.getcode(), r.reason
show(redirected)
show(lambda: urlopen(HTTP + "/away"))
def missing():
    try: urlopen(HTTP + "/none")
    except urllib.error.HTTPError as e: return e.code, e.read(), e.headers["Content-Type"]
show(missing)
show(lambda: urlopen(HTTP + "/gzip").read()[:11])
show(lambda: len(urlopen(HTTPS + "/big").read()))
show(lambda: [line for line in urlopen(HTTP + "/lines")][-1])
def into():
    r, b = urlopen(HTTP + "/csv"), bytearray(5)
    return r.readinto(b), bytes(b), r.read(2), r.peek(1)[:1], r.read()
show(into)
show(lambda: urlopen(HTTP + "/empty").read())
show(lambda: urlopen(HTTP + "/slow", timeout=0.2))
show(lambda: urlopen(HTTP + "/cut").read())
show(lambda: urlopen("http://example.com/"))
show(lambda: urlopen("https://example.com/"))
show(lambda: urlopen("https://only-post.example/"))
show(lambda: urlopen(CLOSED))
show(lambda: urlopen(HTTPS.replace("https", "http") + "/json").status)
show(lambda: urlopen(HTTP.replace("http", "https") + "/json"))
show(lambda: urlopen(HTTPS + "/json", context=ssl._create_unverified_context()).status)
show(lambda: pandas.read_csv(HTTPS + "/csv").to_dict("list"))
show(lambda: pandas.read_json(HTTP + "/json").a.sum())
`).lines(t,
		`{'a': [1, 2]}`,
		`{'a': [1, 2]}`,
		`(200, 'POST', 'q=1', 'yes', '5', b'b\xc3\xb6dy')`,
		`'DELETE'`,
		`(True, 200, 'OK')`,
		`urllib.error.URLError <urlopen error [Errno 2] egress to example.com:80 is not allowed by the network policy: no rule matches the host; add {"host": "example.com"} to network.allow>`,
		`(404, b'nothing here\n', 'text/plain; charset=utf-8')`,
		`b'hello hello'`,
		`3000000`,
		`b'line 4\n'`,
		`(5, b'a,b\n1', b',2', b'\n', b'\n3,4\n')`,
		`b''`,
		`builtins.TimeoutError timed out`,
		`builtins.ConnectionResetError [Errno 15] the connection was closed before the end of the response…`,
		`urllib.error.URLError <urlopen error [Errno 2] egress to example.com:80 is not allowed…`,
		`urllib.error.URLError <urlopen error [Errno 2] egress to example.com:443 is not allowed…`,
		`urllib.error.URLError…`,
		`urllib.error.URLError <urlopen error [Errno 14] the connection was refused (127.0.0.1:1)>`,
		`urllib.error.HTTPError HTTP Error 400: Bad Request`,
		`urllib.error.URLError <urlopen error the server does not speak TLS on this port…`,
		`200`,
		`{'a': [1, 3], 'b': [2, 4]}`,
		`np.int64(3)`,
	)
}

func TestHTTPClient(t *testing.T) {
	n := newNetwork(t)
	n.run(t, show+`
import http.client, json, socket
host = HTTPS.removeprefix("https://")
def kept():
    c = http.client.HTTPSConnection(host)
    got = []
    for i in range(3):
        c.request("GET", "/json")
        r = c.getresponse()
        got.append((r.status, r.version, r.getheader("content-type"), json.loads(r.read())["a"]))
    return got[0] == got[2], got[0]
show(kept)
def chunks():
    c = http.client.HTTPConnection(HTTP.removeprefix("http://"))
    c.putrequest("PUT", "/echo")
    c.putheader("Transfer-Encoding", "chunked")
    c.putheader("X-Sent", "in chunks")
    c.endheaders()
    for part in (b"one ", b"two ", b"three"):
        c.send(b"%x\r\n%b\r\n" % (len(part), part))
    c.send(b"0\r\n\r\n")
    r = c.getresponse()
    return r.headers["X-Length"], r.headers["X-Sent"], r.read()
show(chunks)
def generated():
    c = http.client.HTTPSConnection(host)
    c.request("POST", "/echo", body=(b"x" * 50_000 for _ in range(20)), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    r = c.getresponse()
    return r.headers["X-Length"], len(r.read())
show(generated)
def pieces():
    c = http.client.HTTPConnection(HTTP.removeprefix("http://"))
    c.request("GET", "/big")
    r = c.getresponse()
    sizes = []
    while part := r.read(1_000_000):
        sizes.append(len(part))
    return sizes, r.isclosed()
show(pieces)
def head():
    c = http.client.HTTPConnection(HTTP.removeprefix("http://"))
    c.request("HEAD", "/big")
    r = c.getresponse()
    return r.read(), r.headers["Content-Length"]
show(head)
def left():
    c = http.client.HTTPSConnection(host)
    c.request("GET", "/big")
    r = c.getresponse()
    part = r.read(10)
    c.close(); r.close()
    return part
show(left)
def bare():
    with socket.create_connection(("127.0.0.1", int(HTTP.rsplit(":")[-1]))) as s:
        s.sendall(b"GET /csv HTTP/1.0\r\n\r\n")
        f = s.makefile("rb")
        return f.readline(), f.read()[-8:]
show(bare)
`).lines(t,
		`(True, (200, 11, 'application/json', [1, 2]))`,
		`('-1', 'in chunks', b'one two three')`,
		`('-1', 1000000)`,
		`([1000000, 1000000, 1000000], True)`,
		`(b'', '3000000')`,
		`b'xxxxxxxxxx'`,
		`(b'HTTP/1.1 200 OK\r\n', b'1,2\n3,4\n')`,
	)
}

func TestNoRawSockets(t *testing.T) {
	n := newNetwork(t)
	n.run(t, show+`
import socket, ssl, select, smtplib, ftplib, asyncio
port = int(HTTP.rsplit(":")[-1])
def talk(data):
    with socket.create_connection(("127.0.0.1", port)) as s:
        if data: s.sendall(data)
        return s.recv(1)
show(lambda: talk(b"\x00\x01binary"))
show(lambda: talk(b"EHLO me\r\n"))
show(lambda: talk(b"CONNECT example.com:443 HTTP/1.1\r\n\r\n"))
show(lambda: talk(b""))
show(lambda: smtplib.SMTP("127.0.0.1", port))
show(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
show(lambda: socket.create_server(("127.0.0.1", 0)))
show(lambda: socket.gethostbyname("example.com"))
show(lambda: socket.create_connection(("example.com", 22)))
show(lambda: ssl.create_default_context().load_cert_chain("x.pem"))
show(lambda: select.select([], [], [], 0.01))
show(lambda: asyncio.run(asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)))
`).lines(t,
		`builtins.OSError [Errno 66] the sandbox has no raw sockets: only HTTP and HTTPS requests leave it…`,
		`builtins.OSError [Errno 66] the sandbox has no raw sockets…`,
		`builtins.OSError [Errno 66] the sandbox uses no proxies…`,
		`builtins.OSError [Errno 66] nothing was requested on this connection: the sandbox has no raw sockets…`,
		`smtplib.SMTPServerDisconnected Connection unexpectedly closed: [Errno 66] nothing was requested on this connection…`,
		`builtins.OSError [Errno 66] only stream sockets are supported: the sandbox has no raw sockets…`,
		`builtins.OSError [Errno 58] bind: the sandbox has no raw sockets…`,
		`socket.gaierror [Errno 4] the sandbox looks no names up…`,
		`builtins.PermissionError [Errno 2] egress to example.com:22 is not allowed…`,
		`ssl.SSLError client certificates are not supported…`,
		`([], [], [])`,
		`builtins.OSError [Errno 58] servers are not available…`,
	)
}

func TestFetch(t *testing.T) {
	n := newNetwork(t)
	n.run(t, `
import asyncio
async def show(awaitable):
    try: print(repr(await awaitable))
    except BaseException as e: print(type(e).__module__ + "." + type(e).__qualname__, e)
async def get(path, **options):
    r = await fetch(HTTPS + path, **options)
    return r.status, r.ok, r.headers.get("X-Method"), r.headers.get("x-type"), await r.text()
r = await fetch(HTTP + "/json")
print(r.status, r.ok, r.status_text, r.url == HTTP + "/json", r.redirected, r.headers["content-type"], await r.json(), r.body_used)
await show(r.text())
await show(get("/echo", method="PUT", body="text", headers={"X-Sent": "1"}))
await show(get("/echo", json={"a": 1}))
await show(get("/echo", body={"a": "b c", "d": 1}))
await show(get("/redirect"))
await show(get("/none"))
r = await fetch(HTTP + "/redirect", redirect="manual")
print(r.status, r.headers["Location"])
await show(fetch(HTTP + "/redirect", redirect="error"))
await show(fetch(HTTP + "/away"))
await show(fetch("https://example.com"))
await show(fetch("https://only-post.example/"))
await show(fetch(CLOSED))
await show(fetch(HTTP + "/slow", timeout=0.2))
await show(asyncio.wait_for(fetch(HTTP + "/slow"), 0.2))
print([chunk async for chunk in await fetch(HTTP + "/lines")] != [], sum([len(c) async for c in await fetch(HTTPS + "/big")]))
async def parts():
    for i in range(30):
        await asyncio.sleep(0)
        yield b"p" * 10_000
r = await fetch(HTTPS + "/echo", method="POST", body=parts())
print(r.headers["x-length"], len(await r.bytes()))
async def broken():
    yield b"x"
    raise ValueError("broken")
await show(fetch(HTTP + "/echo", method="POST", body=broken()))
rs = await asyncio.gather(*(fetch(HTTPS + "/json") for _ in range(20)))
print({r.status for r in rs}, {(await r.text()) for r in rs})
reader, writer = await asyncio.open_connection("127.0.0.1", int(HTTP.rsplit(":")[-1]))
writer.write(b"GET /csv HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
print((await reader.read())[-8:])
reader, writer = await asyncio.open_connection("127.0.0.1", int(HTTPS.rsplit(":")[-1]), ssl=True)
writer.write(b"GET /csv HTTP/1.0\r\n\r\n")
print((await reader.read())[-8:])
`).lines(t,
		`200 True OK True False application/json {'a': [1, 2]} True`,
		`builtins.RuntimeError the body was read already`,
		`(200, True, 'PUT', 'text/plain;charset=UTF-8', 'text')`,
		`(200, True, 'POST', 'application/json', '{"a": 1}')`,
		`(200, True, 'POST', 'application/x-www-form-urlencoded;charset=UTF-8', 'a=b+c&d=1')`,
		`(200, True, None, None, '{"a": [1, 2]}')`,
		`(404, False, None, None, 'nothing here\n')`,
		`302 /json`,
		`builtins.OSError the response is a redirect…`,
		`builtins.PermissionError [Errno 2] egress to example.com:80 is not allowed…`,
		`builtins.PermissionError [Errno 2] egress to example.com:443 is not allowed…`,
		`builtins.PermissionError [Errno 2] egress to only-post.example:443 is not allowed by the network policy: no rule for this host has the method GET…`,
		`builtins.ConnectionRefusedError [Errno 14] the connection was refused (127.0.0.1:1)`,
		`builtins.TimeoutError …`,
		`builtins.TimeoutError …`,
		`True 3000000`,
		`-1 300000`,
		`builtins.ValueError broken`,
		`{200} {'{"a": [1, 2]}'}`,
		`b'1,2\n3,4\n'`,
		`b'1,2\n3,4\n'`,
	)
}
