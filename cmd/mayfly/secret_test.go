package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// A program that tries all it can with a server that shows what it is sent gets
// nothing of the secret: not in answers, records, states, snapshots or logs.
func TestSecretsAreNowhere(t *testing.T) {
	const canary = "cnry-7d1f0b62c4"
	var sent atomic.Int32
	var echo *httptest.Server
	echo = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer "+canary && r.URL.Query().Get("key") == canary {
			sent.Add(1)
		}
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, echo.URL+"/echo?leak="+canary, http.StatusFound)
		case "/cut":
			w.Header().Set("Content-Length", "1000000")
			fmt.Fprint(w, canary)
		default:
			w.Header().Set("X-Echo", r.Header.Get("Authorization"))
			fmt.Fprintf(w, "%s %v %s", r.URL, r.Header, strings.Repeat(canary, 10))
		}
	}))
	defer echo.Close()
	u, err := url.Parse(echo.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	s := startServer(t, data, nil, "--log-level", "debug", "--allow-private", "127.0.0.0/8")
	send := func(method, target string, body any, want int) *answer {
		t.Helper()
		a, err := s.send(method, target, jsonHeader, marshal(body))
		if err != nil || a.status != want {
			t.Fatalf("%s %s: %v %v %s", method, target, err, a.status, a.body)
		}
		if bytes.Contains(a.body, []byte(canary)) {
			t.Errorf("%s %s shows the secret: %s", method, target, a.body)
		}
		return a
	}
	send("PUT", "/v1/secrets/API_KEY", map[string]any{"value": canary}, 200)
	send("GET", "/v1/secrets/API_KEY", nil, 200)
	send("GET", "/v1/secrets", nil, 200)
	network := map[string]any{"allow": []any{map[string]any{
		"host": "127.0.0.1", "ports": []int{port}, "allow_http": true, "secret": "API_KEY",
		"inject": []any{map[string]any{"query": "key", "secret": "API_KEY"}},
	}}}
	programs := map[string]string{
		"javascript": `var all = ["kept-" + "in-memory"];
for (const path of ["/echo", "/redirect", "/cut", "/echo#" + Math.random()]) {
  try {
    const r = await fetch("` + echo.URL + `" + path, { headers: { authorization: "mine" } });
    all.push(r.url, JSON.stringify([...r.headers]), r.statusText, await r.text());
  } catch (e) { all.push(e.stack, String(e.cause)); }
}
console.log(all); console.error(process.env); import("node:fs").then(fs => fs.writeFileSync("/artifacts/all.txt", all.join())); all`,
		"python": `import urllib.request, traceback
kept = "kept-" + "in-memory"
all = []
for path in ["/echo", "/redirect", "/cut"]:
    try:
        with urllib.request.urlopen(urllib.request.Request("` + echo.URL + `" + path, headers={"authorization": "mine"})) as r:
            all += [r.url, str(r.headers), r.read().decode()]
    except Exception:
        all.append(traceback.format_exc())
open("all.txt", "w").write(repr(all))
print(all)
all`,
	}
	for language, program := range programs {
		a := send("POST", "/v1/sessions", map[string]any{"language": language, "network": network}, 201)
		id := a.ID
		send("GET", "/v1/sessions/"+id, nil, 200)
		a = send("POST", "/v1/sessions/"+id+"/executions", map[string]any{"code": program}, 200)
		if a.Outcome != "ok" || !strings.Contains(string(a.body), "**") {
			t.Errorf("%s: %s", language, a.body)
		}
		send("GET", "/v1/executions/"+a.ID+"/events", nil, 200)
		send("POST", "/v1/sessions/"+id+"/snapshots", map[string]any{}, 201)
	}
	if got := sent.Load(); got < 7 {
		t.Errorf("the secret was sent %d times, expected at each request", got)
	}
	send("PUT", "/v1/secrets/API_KEY", map[string]any{"value": canary + "2"}, 200)
	send("DELETE", "/v1/secrets/API_KEY", nil, 204)
	a := send("POST", "/v1/executions", map[string]any{"language": "javascript", "code": "1", "network": network}, 400)
	if !strings.Contains(string(a.body), `"/network/allow/0/inject/0/secret"`) {
		t.Errorf("a secret that is gone: %s", a.body)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if strings.Contains(s.logText(), canary) {
		t.Error("the log shows the secret")
	}
	kept := 0
	if err := filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(canary)) {
			t.Errorf("%s holds the secret", path)
		}
		if bytes.Contains(content, []byte("kept-in-memory")) {
			kept++
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if kept == 0 {
		t.Error("no file holds what programs kept in memory: this test would find nothing")
	}
}
