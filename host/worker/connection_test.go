package worker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mayfly/host/execution"
	"mayfly/host/rpc"
)

// A peer is a server over TCP.
type peer struct {
	address string
	over    chan string // what ended each connection
}

// newPeer makes one: handle has each connection, and answers how it ended.
func newPeer(t *testing.T, handle func(net.Conn) string) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &peer{l.Addr().String(), make(chan string, 10)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				p.over <- handle(c)
			}()
		}
	}()
	return p
}

func (p *peer) ended(t *testing.T) string {
	t.Helper()
	select {
	case s := <-p.over:
		return s
	case <-time.After(30 * time.Second):
		t.Fatal("the connection was not ended")
		return ""
	}
}

// echo answers what it gets, line by line, in upper case.
func echo(c net.Conn) string { return echoLines(bufio.NewReader(c), c) }

func echoLines(in *bufio.Reader, out io.Writer) string {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return fmt.Sprint(line, err)
		}
		fmt.Fprint(out, strings.ToUpper(line))
	}
}

// certificate is what the tests trust.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.TLS.Certificates[0]
}

const socketTools = `
import { connect } from "cloudflare:sockets";
import { WorkerEntrypoint } from "cloudflare:workers";
const bytes = (text) => new TextEncoder().encode(text);
async function write(socket, text) {
	const w = socket.writable.getWriter();
	await w.write(bytes(text));
	w.releaseLock();
}
async function line(socket) {
	const r = socket.readable.getReader();
	let text = "";
	while (!text.endsWith("\n")) {
		const { done, value } = await r.read();
		if (done) break;
		text += new TextDecoder().decode(value);
	}
	r.releaseLock();
	return text;
}
const all = (socket) => new Response(socket.readable).text();
const failure = async (f) => { try { return "no error: " + await f(); } catch (e) { return e.name + ": " + e.message; } };
`

// socketWorker is a worker whose handler of requests is the body of an async
// function with peer, the address in ?peer=.
func socketWorker(t *testing.T, s *Service, body, more string, edit func(*Definition)) rpc.Target {
	t.Helper()
	def := script(socketTools + more + `
export default { async fetch(request, env, ctx) {
	const peer = new URL(request.url).searchParams.get("peer");
	` + body + `
} };`)
	policy, err := s.config.Executions.Policy(&execution.Network{Allow: []execution.NetworkRule{{Host: "*", AnyPort: true}}}, "network")
	if err != nil {
		t.Fatal(err)
	}
	def.Policy = policy
	if edit != nil {
		edit(&def)
	}
	w := s.Worker(def)
	t.Cleanup(w.Close)
	return w.Entrypoint("", rpc.Value{}, Limits{})
}

func TestSockets(t *testing.T) {
	s := newService(t, nil)
	pair := certificate(t)
	secure := func(c net.Conn) net.Conn {
		return tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	starttls := func(c net.Conn) string {
		in := bufio.NewReader(c)
		if line, _ := in.ReadString('\n'); line != "STARTTLS\n" {
			return line
		}
		fmt.Fprint(c, "go ahead\nand this is not of TLS\n")
		return echo(secure(c))
	}
	for name, test := range map[string]struct {
		peer             func(net.Conn) string
		body, want, over string
	}{
		"echo": {echo, `const s = connect(peer); await write(s, "one\n"); const a = await line(s); await write(s, "two\n");
			const b = await line(s); await s.close(); return new Response(a + b + await s.closed)`, "ONE\nTWO\nundefined", "EOF"},
		"an address object": {echo, `const [hostname, port] = peer.split(":"); const s = connect({ hostname, port: +port }); await write(s, "x\n"); return new Response(await line(s))`, "X\n", "EOF"},
		"opened":            {echo, `const s = connect(peer); const { remoteAddress } = await s.opened; return new Response([remoteAddress === peer, s.secureTransport, s.upgraded, Object.prototype.toString.call(s)])`, "true,off,false,[object Socket]", "EOF"},
		// What was written has gone, though the event is over.
		"no close": {func(c net.Conn) string { b, err := io.ReadAll(c); return fmt.Sprint(len(b), err) }, `const s = connect(peer); const w = s.writable.getWriter();
			for (let i = 0; i < 8; i++) await w.write(new Uint8Array(100_000)); return new Response("written")`, "written", "800000 <nil>"},
		"the other end closes": {func(c net.Conn) string { fmt.Fprint(c, "bye\n"); return "" }, `const s = connect(peer); const text = await all(s); await s.closed; return new Response(text + await failure(() => s.writable.getWriter().write(bytes("x"))))`,
			"bye\nTypeError: The other end of the connection has closed it.", ""},
		"its end is seen without a read": {func(c net.Conn) string { return "" }, `const s = connect(peer); await s.closed; return new Response("closed")`, "closed", ""},
		"half open": {func(c net.Conn) string {
			fmt.Fprint(c, "bye\n")
			_ = c.(*net.TCPConn).CloseWrite()
			b, _ := io.ReadAll(c)
			return string(b)
		}, `const s = connect(peer, { allowHalfOpen: true }); const text = await all(s); await write(s, "still there"); await s.close(); return new Response(text)`, "bye\n", "still there"},
		"our end first": {func(c net.Conn) string { b, _ := io.ReadAll(c); fmt.Fprintf(c, "got %s", b); return "" },
			`const s = connect(peer); const w = s.writable.getWriter(); w.write(bytes("all")); await w.close(); return new Response(await all(s))`, "got all", ""},
		"as a body": {func(c net.Conn) string { fmt.Fprint(c, strings.Repeat("0123456789", 50_000)); return "" }, `return new Response(connect(peer).readable)`, strings.Repeat("0123456789", 50_000), ""},
		"much both ways": {func(c net.Conn) string { n, err := io.Copy(c, c); return fmt.Sprint(n, err) }, `const s = connect(peer, { allowHalfOpen: true });
			const send = async () => { const w = s.writable.getWriter(); for (let i = 0; i < 40; i++) await w.write(new Uint8Array(100_000).fill(i)); await w.close(); };
			let n = 0, sum = 0; const receive = async () => { for await (const chunk of s.readable) { n += chunk.length; for (const b of chunk) sum += b; } };
			await Promise.all([send(), receive()]); return new Response(n + " " + sum)`, "4000000 78000000", "4000000 <nil>"},
		"with a buffer of one's own": {echo, `const s = connect(peer); await write(s, "abcdef\n"); const r = s.readable.getReader({ mode: "byob" });
			const { value } = await r.readAtLeast?.(7, new Uint8Array(10)) ?? await r.read(new Uint8Array(10), { min: 7 }); return new Response(new TextDecoder().decode(value))`, "ABCDEF\n", "EOF"},
		"refused": {nil, `const s = connect("` + closed.Addr().String() + `"); return new Response([await failure(() => s.opened), await failure(() => s.closed), await failure(() => write(s, "x"))].join("\n"))`,
			strings.TrimSuffix(strings.Repeat("TypeError: connect failed: the connection was refused ("+closed.Addr().String()+")\n", 3), "\n"), ""},
		"TLS":                     {func(c net.Conn) string { return echo(secure(c)) }, `const s = connect(peer, { secureTransport: "on" }); await write(s, "secret\n"); return new Response(await line(s) + s.secureTransport)`, "SECRET\non", "*"},
		"TLS where there is none": {func(c net.Conn) string { fmt.Fprint(c, "hello there, I am no TLS\n"); return "" }, `return new Response(await failure(() => connect(peer, { secureTransport: "on" }).opened))`, "TypeError: connect failed: the server does not speak TLS on this port (PEER)", ""},
		"STARTTLS": {starttls, `const s = connect(peer, { secureTransport: "starttls" }); await write(s, "STARTTLS\n"); const plain = (await line(s)).split("\n")[0];
			const t = s.startTls(); await s.closed; await write(t, "secret\n"); return new Response([plain, await line(t), s.upgraded, t.secureTransport, t.upgraded].join())`, "go ahead,SECRET\n,true,on,false", "*"},
		"STARTTLS for another name": {starttls, `const s = connect(peer, { secureTransport: "starttls" }); await write(s, "STARTTLS\n"); await line(s);
			return new Response(await failure(() => s.startTls({ expectedServerHostname: "elsewhere.test" }).opened))`, "TypeError: connect failed: the server's certificate is for another name (PEER)", "*"},
		"misuse": {echo, `const s = connect(peer); const t = connect(peer, { secureTransport: "on" });
			return new Response([await failure(() => s.startTls()), await failure(() => t.startTls()), await failure(() => connect("here")), await failure(() => connect(":1")), await failure(() => connect({ port: 1 })),
				await failure(() => connect({ hostname: "a b", port: 1 })), await failure(() => connect(peer, { secureTransport: "maybe" })), await failure(() => write(s, "") || 0), await failure(() => s.writable.getWriter().write("text")), await failure(() => new s.constructor())].join("\n"))`,
			"TypeError: The `secureTransport` socket option must be set to 'starttls' for startTls to be used.\nTypeError: Cannot startTls on a TLS socket.\nTypeError: Specified address is missing port.\nTypeError: Specified address could not be parsed.\nTypeError: Incorrect type for the 'hostname' field on 'SocketAddress': the provided value is not of type 'string'.\n" +
				"TypeError: Specified address is empty string, contains unsupported characters or is too long.\nTypeError: Unsupported value in secureTransport socket option: maybe\nno error: undefined\nTypeError: This WritableStream only supports writing byte types: encode the string, as TextEncoder does.\nTypeError: Illegal constructor", "*"},
		"the address of nobody's business": {nil, `return new Response(await failure(() => connect("10.1.2.3:22").opened))`,
			"TypeError: connect failed: egress to 10.1.2.3:22 is not allowed by the network policy: the address is not on the public internet (private); rules of a request can't open such addresses, only the server's configuration can", ""},
		"mail": {nil, `return new Response(await failure(() => connect("mail.test:25").opened))`,
			"TypeError: connect failed: egress to mail.test:25 is not allowed by the network policy: no rule for this host has the port; add 25 to ports of the rule for * in network.allow (without ports a rule means 80 and 443)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			target := socketWorker(t, s, strings.ReplaceAll(test.body, "\n", " "), "", nil)
			address := closed.Addr().String()
			var p *peer
			if test.peer != nil {
				p = newPeer(t, test.peer)
				address = p.address
			}
			want := strings.ReplaceAll(test.want, "PEER", address)
			if status, body := get(t, target, "http://x/?peer="+address); status != 200 || body != want {
				t.Errorf("%d %.2000s\nnot %.2000s", status, body, want)
			}
			if p != nil && test.over != "*" {
				if over := p.ended(t); over != test.over {
					t.Errorf("the connection ended with %q, not %q", over, test.over)
				}
			}
		})
	}
}

// TestSocketsAtStart: there are none while modules are evaluated.
func TestSocketsAtStart(t *testing.T) {
	s := newService(t, nil)
	target := socketWorker(t, s, `return new Response(await failure(() => early.opened))`, `const early = connect("127.0.0.1:1"); early.opened.catch(() => {});`, nil)
	if status, body := get(t, target, "http://x/"); status != 200 || !strings.HasPrefix(body, "Error: Disallowed operation called within global scope.") {
		t.Errorf("%d %s", status, body)
	}
}

// TestOutboundConnections: connections of a dynamic worker lead where its parent
// says.
func TestOutboundConnections(t *testing.T) {
	s := newService(t, nil)
	p := newPeer(t, func(c net.Conn) string {
		in := bufio.NewReader(c)
		line, _ := in.ReadString('\n')
		fmt.Fprintf(c, "you are %s", line)
		return echoLines(in, c)
	})
	const outbounds = `
export class Login extends WorkerEntrypoint {
	async connect(socket) {
		const { remoteAddress } = await socket.opened;
		const real = connect(remoteAddress, { allowHalfOpen: true });
		const w = real.writable.getWriter();
		await w.write(bytes("user with the secret\n"));
		w.releaseLock();
		await Promise.all([socket.readable.pipeTo(real.writable), real.readable.pipeTo(socket.writable)]);
	}
}
export class Answers extends WorkerEntrypoint {
	async connect(socket) {
		await write(socket, (await socket.opened).remoteAddress + " " + socket.secureTransport + "\n");
	}
}
export class Throws extends WorkerEntrypoint { connect() { throw new RangeError("not there"); } }
export class Fails extends WorkerEntrypoint { async connect(socket) { await line(socket); throw new RangeError("no more"); } }
export class HTTP extends WorkerEntrypoint { fetch() { return new Response("http"); } }
`
	child := func(outbound, body string) string {
		return "const code = " + fmt.Sprintf("%q", socketTools+`export default { async fetch(request) { const peer = new URL(request.url).searchParams.get("peer"); `+body+` } }`) + `;
			return env.LOADER.load({ compatibilityDate: "2026-01-01", mainModule: "main.js", modules: { "main.js": code }, ` + outbound + ` }).getEntrypoint().fetch(request)`
	}
	for name, test := range map[string]struct{ outbound, body, want string }{
		"with a credential": {"globalOutbound: ctx.exports.Login({})", `const s = connect(peer); await write(s, "hello\n"); const first = await line(s); return new Response(first + (first.endsWith("HELLO\n") ? "" : await line(s)))`, "you are user with the secret\nHELLO\n"},
		"answered":          {"globalOutbound: ctx.exports.Answers({})", `const s = connect("db.test:5432", { secureTransport: "on" }); return new Response(await all(s))`, "db.test:5432 on\n"},
		"inherited":         {"", `const s = connect(peer); await write(s, "hello\n"); return new Response(await line(s))`, "you are hello\n"},
		"blocked":           {"globalOutbound: null", `return new Response(await failure(() => connect(peer).opened))`, "Error: " + strings.TrimPrefix(ErrOutboundBlocked.Error(), "Error: ")},
		"no handler":        {"globalOutbound: ctx.exports.HTTP({})", `return new Response(await failure(() => connect(peer).opened))`, "TypeError: Incoming CONNECT on a worker not supported"},
		"a handler throws":  {"globalOutbound: ctx.exports.Throws({})", `return new Response(await failure(() => all(connect(peer))))`, "RangeError: not there"},
		"a handler fails":   {"globalOutbound: ctx.exports.Fails({})", `const s = connect(peer); await write(s, "x\n"); return new Response(await failure(() => all(s)))`, "RangeError: no more"},
		"no TLS later":      {"globalOutbound: ctx.exports.Answers({})", `const s = connect(peer, { secureTransport: "starttls" }); await s.opened; return new Response(await failure(() => s.startTls().opened))`, "TypeError: startTls can't be used here: the other end of the connection is a worker."},
	} {
		t.Run(name, func(t *testing.T) {
			target := socketWorker(t, s, child(test.outbound, test.body), outbounds, func(def *Definition) { def.Loaders = []LoaderBinding{{Name: "LOADER"}} })
			if status, body := get(t, target, "http://x/?peer="+p.address); status != 200 || body != test.want {
				t.Errorf("%d %s\nnot %s", status, body, test.want)
			}
		})
	}
}

// TestFetcherConnect: stubs of entrypoints take connections, too.
func TestFetcherConnect(t *testing.T) {
	s := newService(t, nil)
	target := socketWorker(t, s, `const s = ctx.exports.Greeter({ props: { name: "you" } }).connect("any.test:1"); return new Response(await all(s))`,
		`export class Greeter extends WorkerEntrypoint { async connect(socket) { await write(socket, "hello " + this.ctx.props.name); } }`, nil)
	if status, body := get(t, target, "http://x/"); status != 200 || body != "hello you" {
		t.Errorf("%d %s", status, body)
	}
}

// TestSocketOfAnotherRequest: a socket is of use to its own request only.
func TestSocketOfAnotherRequest(t *testing.T) {
	s := newService(t, nil)
	p := newPeer(t, echo)
	target := socketWorker(t, s, `if (globalThis.kept === undefined) { globalThis.kept = connect(peer); await kept.opened; return new Response("kept") }
		return new Response(await failure(() => kept.close()))`, "", nil)
	if status, body := get(t, target, "http://x/?peer="+p.address); status != 200 || body != "kept" {
		t.Errorf("%d %s", status, body)
	}
	if over := p.ended(t); over != "EOF" {
		t.Errorf("the connection ended with %q", over)
	}
	if status, body := get(t, target, "http://x/?peer="+p.address); status != 200 || !strings.HasPrefix(body, "Error: Cannot perform I/O on behalf of a different request.") {
		t.Errorf("%d %s", status, body)
	}
}

// TestSocketsEndWithTheirEvent: a client that goes away takes the connections of
// its request with it.
func TestSocketsEndWithTheirEvent(t *testing.T) {
	s := newService(t, nil)
	began := make(chan struct{}, 1)
	p := newPeer(t, func(c net.Conn) string {
		began <- struct{}{}
		var b bytes.Buffer
		_, err := b.ReadFrom(c)
		return fmt.Sprint(b.String(), err)
	})
	target := socketWorker(t, s, `const s = connect(peer); return new Response(await all(s))`, "", nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := target.Fetch(ctx, &rpc.Request{Method: "GET", URL: "http://x/?peer=" + p.address}); err == nil {
			t.Error("there was an answer")
		}
	}()
	<-began
	cancel()
	<-done
	if over := p.ended(t); over != "<nil>" && !strings.Contains(over, "reset") {
		t.Errorf("the connection ended with %q", over)
	}
}
