package main

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A server serves the suite's files on a loopback address, and does what the
// suite's own server does for the few tests that want more than files
// (web-platform-tests.org, "wptserve").
type server struct {
	suite  string
	origin string // http://127.0.0.1:port
	http   *http.Server
}

// moved are files that the archive has elsewhere than their tests ask for.
var moved = map[string]string{"wasm/incrementer.wasm": "wasm/webapi/resources/incrementer.wasm"}

func serveSuite(suite string) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{suite: suite, origin: "http://" + listener.Addr().String()}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go s.http.Serve(listener) // ends with close, with the error that says so
	return s, nil
}

func (s *server) close() { s.http.Close() }

// host is the server's address, by which tests may not be named: it changes.
func (s *server) host() string { return strings.TrimPrefix(s.origin, "http://") }

// substitute fills in the templates of files that are named *.sub.*.
func (s *server) substitute(source string) string {
	_, port, _ := net.SplitHostPort(s.host())
	return regexp.MustCompile(`\{\{(\w+)[^}]*\}\}`).ReplaceAllStringFunc(source, func(template string) string {
		switch {
		case strings.HasPrefix(template, "{{ports"):
			return port
		case strings.HasPrefix(template, "{{domains"), strings.HasPrefix(template, "{{hosts"), template == "{{host}}":
			return "127.0.0.1"
		}
		return template
	})
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	query := r.URL.Query()
	switch path.Base(name) {
	case "status.py":
		// net/http refuses what is no status at all, as 0; the suite's server
		// would send it.
		status, _ := strconv.Atoi(query.Get("status"))
		if status < 200 || status > 999 {
			s.abort(w, status)
			return
		}
		w.Header().Set("Content-Type", "application/wasm")
		w.WriteHeader(status)
		return
	case "redirect.py":
		status, _ := strconv.Atoi(query.Get("redirect_status"))
		if status < 300 || status > 399 {
			status = http.StatusFound
		}
		w.Header().Set("Location", query.Get("location"))
		w.WriteHeader(status)
		return
	case "echo-content.py":
		w.Header().Set("Content-Type", "text/plain")
		content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20)) // all before the answer, which ends the reading
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Write(content)
		return
	}
	if other, ok := moved[name]; ok {
		name = other
	}
	root, err := os.OpenRoot(s.suite)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer root.Close()
	content, err := root.ReadFile(filepath.FromSlash(name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	for key, value := range contentTypes {
		if strings.HasSuffix(name, key) {
			w.Header().Set("Content-Type", value)
		}
	}
	if headers, err := root.ReadFile(filepath.FromSlash(name + ".headers")); err == nil {
		for line := range strings.Lines(string(headers)) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				w.Header().Set(key, strings.TrimSpace(value))
			}
		}
	}
	pipe(w.Header(), r.URL.RawQuery)
	w.Write(content)
}

// abort answers with a status line that net/http would not write.
func (s *server) abort(w http.ResponseWriter, status int) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer connection.Close()
	connection.Write([]byte("HTTP/1.1 " + strconv.Itoa(status) + " \r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
}

var contentTypes = map[string]string{
	".js": "text/javascript", ".json": "application/json", ".wasm": "application/wasm", ".idl": "text/plain; charset=utf-8", ".txt": "text/plain",
}

var headerPipe = regexp.MustCompile(`header\(([^,]+),([^)]*)\)`)

// pipe sets headers as the query's pipe=header(name,value) says.
func pipe(header http.Header, query string) {
	for part := range strings.SplitSeq(query, "&") {
		value, ok := strings.CutPrefix(part, "pipe=")
		if !ok {
			continue
		}
		value, err := url.QueryUnescape(value)
		if err != nil {
			continue
		}
		for _, m := range headerPipe.FindAllStringSubmatch(value, -1) {
			header.Set(m[1], m[2])
		}
	}
}
