package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What programs put into buckets is read by whoever has a URL for it, and what
// is put at a URL is read by programs.
func TestBucketsInsideAndOut(t *testing.T) {
	s := startServer(t, t.TempDir(), nil, "--languages", "javascript", "--s3", "--s3-listen", "127.0.0.1:0")
	send := func(method, target string, body any, want int) *answer {
		t.Helper()
		a, err := s.send(method, target, jsonHeader, marshal(body))
		if err != nil || a.status != want {
			t.Fatalf("%s %s: %v %d %s", method, target, err, a.status, a.body)
		}
		return a
	}
	send("PUT", "/v1/buckets/reports", nil, 201)
	presign := func(method, key string) string {
		t.Helper()
		var p struct{ URL string }
		if err := json.Unmarshal(send("POST", "/v1/buckets/reports/presign", map[string]any{"key": key, "method": method, "expires_s": 60}, 200).body, &p); err != nil {
			t.Fatal(err)
		}
		return p.URL
	}
	do := func(method, url, body string, want int) string {
		t.Helper()
		r, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		content, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != want {
			t.Fatalf("%s %s: %v %d %s", method, url, err, response.StatusCode, content)
		}
		return string(content)
	}
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	do("PUT", presign("PUT", "in/ünï code.txt"), "from outside", 200)
	a := send("POST", "/v1/executions", map[string]any{
		"language":  "javascript",
		"code":      `import fs from "node:fs"; const text = await (await env.BUCKET.get("in/ünï code.txt")).text(); fs.writeFileSync("/artifacts/out put.svg", "<svg>" + text + "</svg>"); export default text`,
		"bindings":  map[string]any{"BUCKET": map[string]any{"type": "r2_bucket", "bucket": "reports"}},
		"artifacts": map[string]any{"export": map[string]any{"bucket": "reports", "prefix": "{id}/"}},
	}, 200)
	if a.Outcome != "ok" || string(a.Result) != `"from outside"` {
		t.Fatalf("%s", a.body)
	}
	key := a.ID + "/out put.svg"
	if !bytes.Contains(a.body, []byte(fmt.Sprintf(`"export":{"bucket":"reports","key":%q}`, key))) {
		t.Errorf("got %s", a.body)
	}
	if got := do("GET", presign("GET", key), "", 200); got != "<svg>from outside</svg>" {
		t.Errorf("outside it is %q", got)
	}
	do("PUT", presign("GET", key), "other", 403)
	do("GET", strings.Replace(presign("GET", key), "out%20put", "other", 1), "", 403)
	send("POST", "/v1/buckets/missing/presign", map[string]any{"key": "k"}, 404)
	send("POST", "/v1/buckets/reports/presign", map[string]any{"key": "k", "expires_s": 604801}, 400)
	send("POST", "/v1/buckets/reports/presign", map[string]any{"key": "k", "method": "DELETE"}, 400)
	send("POST", "/v1/buckets/reports/presign", map[string]any{}, 400)
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}
