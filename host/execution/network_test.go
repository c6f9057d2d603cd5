package execution_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mayfly/host/execution"
)

// networkServer is what the programs under testdata/network talk to.
func networkServer(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if status, err := strconv.Atoi(query.Get("status")); err == nil {
		if to := query.Get("location"); to != "" {
			w.Header().Set("Location", to)
		}
		w.WriteHeader(status)
		return
	}
	switch r.URL.Path {
	case "/inspect": // the request as it came, as text
		body, err := io.ReadAll(r.Body)
		var head bytes.Buffer
		_ = r.Header.Write(&head)
		fmt.Fprintf(w, "%s %s %d %v %v\n%s\n%s", r.Method, r.RequestURI, r.ContentLength, r.TransferEncoding, err, head.String(), body)
	case "/headers":
		for name, values := range query {
			for _, value := range values {
				w.Header().Add(name, value)
			}
		}
		fmt.Fprint(w, "headers")
	case "/bytes":
		n, _ := strconv.Atoi(query.Get("n"))
		if query.Get("chunked") == "" {
			w.Header().Set("Content-Length", strconv.Itoa(n))
		}
		for i := 0; i < n; i += 1000 {
			_, _ = w.Write(bytes.Repeat([]byte{byte(i / 1000)}, min(1000, n-i)))
		}
	case "/gzip":
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(bytes.Repeat([]byte("gzip "), 1000))
		z.Close()
	case "/cut":
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "cut")
	case "/slow": // a head, and then nothing
		if query.Get("head") != "" {
			fmt.Fprint(w, "slow")
			w.(http.Flusher).Flush()
		}
		select {
		case <-r.Context().Done():
		case <-time.After(20 * time.Second):
		}
	case "/events":
		n, _ := strconv.Atoi(r.Header.Get("Last-Event-ID"))
		w.Header().Set("Content-Type", query.Get("type"))
		fmt.Fprintf(w, "retry: 1\nid: %d\ndata: %s %s\n\n", n+1, r.Header.Get("Accept"), r.Header.Get("Last-Event-ID"))
	case "/socket":
		serveTestSocket(w, r)
	default:
		http.NotFound(w, r)
	}
}

func serveTestSocket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"chat"}})
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	for {
		kind, data, err := c.Read(r.Context())
		if err != nil {
			return
		}
		switch command, argument, _ := strings.Cut(string(data), " "); command {
		case "close":
			code, _ := strconv.Atoi(argument)
			_ = c.Close(websocket.StatusCode(code), "by the server")
			return
		case "drop":
			return
		case "send":
			n, _ := strconv.Atoi(argument)
			data = make([]byte, n)
			kind = websocket.MessageBinary
		}
		if c.Write(r.Context(), kind, data) != nil {
			return
		}
	}
}

// TestNetworkPrograms runs the programs under testdata/network, which check
// themselves: fetch, WebSocket and EventSource against a server.
func TestNetworkPrograms(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(networkServer))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	host, portText, _ := net.SplitHostPort(server.Listener.Addr().String())
	port, _ := strconv.Atoi(portText)
	s := newService(t, nil)
	library, err := os.ReadFile("../../guests/quickjs/testdata/js/check.js")
	if err != nil {
		t.Fatal(err)
	}
	programs, err := filepath.Glob("testdata/network/*.test.js")
	if err != nil || len(programs) == 0 {
		t.Fatalf("no programs: %v", err)
	}
	for _, path := range programs {
		t.Run(filepath.Base(path), func(t *testing.T) {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r := js(string(source))
			r.Files = []execution.File{{Path: "check.js", Content: library}}
			r.Env = map[string]string{"SERVER": host + ":" + portText}
			r.Network = execution.Network{Allow: []execution.NetworkRule{{Host: host, Ports: []int{port}}}}
			r.Limits = execution.Limits{Subrequests: 500, Wall: time.Minute, CPU: 20 * time.Second}
			result := execute(t, s, r)
			if result.Outcome != execution.OK || result.Stderr != "" || !strings.HasSuffix(result.Stdout, " checks passed\n") {
				t.Errorf("%s: %+v\n%s%s", result.Outcome, result.Error, result.Stdout, result.Stderr)
			}
		})
	}
}
