package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// deployTemplate makes a project of a template, and has a server serve it.
func deployTemplate(t testing.TB, s *attackServer, name string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), name)
	for _, args := range [][]string{{"init", name, dir}, {"deploy", dir, "--server", "http://" + s.address}} {
		var out, errs bytes.Buffer
		if code := execute(t.Context(), args, console{strings.NewReader(""), &out, &errs}); code != 0 {
			t.Fatalf("mayfly %s: exit code %d\n%s", strings.Join(args, " "), code, &errs)
		}
	}
	return dir
}

// TestTemplatesServed deploys each template to a server, and uses it.
func TestTemplatesServed(t *testing.T) {
	s := startServer(t, t.TempDir(), nil, "--npm", "--cache", preparedCache(t))
	send := func(t *testing.T, method, path string, body any) (int, string) {
		t.Helper()
		var text []byte
		if body != nil {
			text, _ = json.Marshal(body)
		}
		a, err := s.send(method, path, nil, text)
		if err != nil {
			t.Fatal(err)
		}
		return a.status, string(a.body)
	}
	want := func(t *testing.T, method, path string, body any, status int, text string) string {
		t.Helper()
		got, answer := send(t, method, path, body)
		if matched, err := regexp.MatchString(text, answer); err != nil || !matched || got != status {
			t.Errorf("%s %s: %d %s, want %d %s", method, path, got, answer, status, text)
		}
		return answer
	}
	uses := map[string]func(t *testing.T, dir string){
		"hello": func(t *testing.T, _ string) {
			want(t, "GET", "/w/hello/you", nil, 200, "^Hello, you!\n$")
		},
		"loader-hello": func(t *testing.T, _ string) {
			want(t, "GET", "/w/loader-hello/", nil, 200, "^Try ")
			for range 2 {
				want(t, "GET", "/w/loader-hello/load/you", nil, 200, "^Hello once, you! Greeted so far: 1\n$")
			}
			for i := range 3 {
				want(t, "GET", "/w/loader-hello/get/you", nil, 200, fmt.Sprintf("^Hello again, you! Greeted so far: %d\n$", i+1))
			}
		},
		"chat-room": func(t *testing.T, dir string) {
			page, err := os.ReadFile(filepath.Join(dir, "src", "page.html"))
			if err != nil {
				t.Fatal(err)
			}
			bot := regexp.MustCompile(`(?s)<textarea[^>]*>(.*)</textarea>`).FindSubmatch(page)
			if bot == nil {
				t.Fatal("the page has no bot")
			}
			type say struct {
				Author string `json:"author"`
				Text   string `json:"text"`
				Bot    string `json:"bot"`
			}
			want(t, "GET", "/w/chat-room/", nil, 200, "<!doctype html>")
			want(t, "POST", "/w/chat-room/say", say{"you", "good day", string(bot[1])}, 200, `\[{"author":"you","text":"good day"},{"author":"bot","text":"you says: GOOD DAY"}\]`)
			want(t, "POST", "/w/chat-room/say", say{"you", "how many?", string(bot[1])}, 200, `{"author":"bot","text":"3 messages so far"}\]`)
			// Of the room a bot has what the methods allow, and nothing of its fields.
			const class = `import { WorkerEntrypoint } from "cloudflare:workers";
				export default class extends WorkerEntrypoint { `
			spy := class + `
					async hear(room) {
						await room.post(String(await room.messages.then((v) => v, (e) => e.name)) + Object.keys(this.env) + await fetch("http://127.0.0.1/").catch((e) => " no network"));
					}
				}`
			want(t, "POST", "/w/chat-room/say", say{"you", "spy", spy}, 200, `{"author":"bot","text":"TypeError no network"}\]`)
			want(t, "POST", "/w/chat-room/say", say{"you", "fail", class + "hear() { throw new RangeError('of the bot') } }"}, 200, `{"author":"the bot failed","text":"RangeError: of the bot"}\]`)
			want(t, "POST", "/w/chat-room/say", say{"you", "loop", class + "hear() { for (;;); } }"}, 200, `{"author":"the bot failed","text":"[^"]*CPU[^"]*"}\]`)
			want(t, "GET", "/w/chat-room/messages", nil, 200, `"text":"loop"}`)
		},
		"hono-runtime": func(t *testing.T, _ string) {
			want(t, "GET", "/w/hono-runtime/", nil, 200, "the worker of <b>a user</b>")
			want(t, "GET", "/w/hono-runtime/api/items/7", nil, 200, `^{"id":7,"owner":"a user"}$`)
			want(t, "GET", "/w/hono-runtime/api/items/x", nil, 404, `^{"error":"there is no `)
		},
		"credentials": func(t *testing.T, _ string) {
			answer := want(t, "GET", "/w/credentials/", nil, 200, "attacker.example.net is not allowed")
			type asked struct {
				Status int
				Body   string
			}
			var got struct {
				Env                    []string `json:"what the code found in its env"`
				API, Forged, Elsewhere asked
			}
			const user = `{"login":"owner","path":"/user"}`
			if err := json.Unmarshal([]byte(answer), &got); err != nil || len(got.Env) > 0 || got.API != (asked{200, user}) || got.Forged != got.API || got.Elsewhere.Status != 403 || strings.Contains(answer, "token-of") {
				t.Errorf("%v, %s", err, answer)
			}
		},
		"spawn": func(t *testing.T, _ string) {
			want(t, "GET", "/w/spawn/", nil, 200, "<!doctype html>")
			want(t, "POST", "/w/spawn/workers?from=1000&to=1250", nil, 200, `^{"made":250}$`)
			want(t, "GET", "/w/spawn/workers?from=1155&to=1157", nil, 200, `^\[{"name":"worker-1155","visits":2,"text":"hello from worker-1155"},{"name":"worker-1156","visits":2,"text":"hello from worker-1156"}\]$`)
			want(t, "POST", "/w/spawn/workers/1156", "abc", 200, `^{"name":"worker-1156","visits":3,"text":"\\"cba\\""}$`)
			want(t, "POST", "/w/spawn/workers?from=0&to=501", nil, 400, "500 workers at most")
		},
		"python-chart": func(t *testing.T, dir string) {
			agent, err := os.ReadFile(filepath.Join(dir, "src", "agent.py"))
			if err != nil {
				t.Fatal(err)
			}
			type draw struct {
				Code string `json:"code"`
				CSV  string `json:"csv"`
			}
			const csv = "month,tea,coffee\nJan,1,4\nFeb,2,3\nMar,3,<1\n"
			want(t, "POST", "/w/python-chart/draw", draw{string(agent), csv}, 422, `ValueError: could not convert string to float: '<1'`)
			answer := want(t, "POST", "/w/python-chart/draw", draw{string(agent), strings.Replace(csv, "<1", "1", 1)}, 200, `"said":"3 months; most of coffee"`)
			var drawn struct{ Chart string }
			if err := json.Unmarshal([]byte(answer), &drawn); err != nil {
				t.Fatal(err)
			}
			svg := want(t, "GET", "/w/python-chart/"+drawn.Chart, nil, 200, `^<svg .*</svg>$`)
			if strings.Count(svg, "<polyline") != 2 || !strings.Contains(svg, ">coffee</text>") {
				t.Error(svg)
			}
			want(t, "GET", "/w/python-chart/charts/none.svg", nil, 404, "no such chart")
			want(t, "GET", "/w/python-chart/", nil, 200, "class Default\\(WorkerEntrypoint\\)")
		},
	}
	list, err := listTemplates()
	if err != nil {
		t.Fatal(err)
	}
	if status, text := send(t, http.MethodPut, "/v1/buckets/charts", nil); status != 201 {
		t.Fatal(status, text)
	}
	for _, one := range list {
		t.Run(one.name, func(t *testing.T) {
			use := uses[one.name]
			if use == nil {
				t.Fatal("nobody uses this template here")
			}
			use(t, deployTemplate(t, s, one.name))
		})
	}
}
