package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// preparedCache is the directory of the guests that scripts run, prepared.
func preparedCache(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("MAYFLY_CACHE")
	if cache == "" {
		cache = defaultCache()
	}
	preparing.Lock()
	defer preparing.Unlock()
	if prepared == cache {
		return cache
	}
	var stderr bytes.Buffer
	if code := execute(t.Context(), []string{"guests", "--cache", cache}, console{os.Stdin, io.Discard, &stderr}); code != 0 {
		t.Fatalf("the guests could not be prepared:\n%s", &stderr)
	}
	prepared = cache
	return cache
}

// prepared is the cache in which the guests are known to be.
var (
	preparing sync.Mutex
	prepared  string
)

// TestScripts runs the command lines in testdata/script. Beside testscript's
// own commands there are those of scriptCommands; $ADDRESS is free to listen on.
func TestScripts(t *testing.T) {
	cache := preparedCache(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Setenv("ADDRESS", l.Addr().String())
			e.Setenv("MAYFLY_CACHE", cache)
			e.Setenv("MAYFLY_DATA", e.WorkDir+"/data")
			e.Values[repliesKey{}] = make(chan reply, 1)
			return l.Close()
		},
		Cmds:                scriptCommands,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

type repliesKey struct{}

// reply is what a server said to a request that was sent with later.
type reply struct {
	text string
	err  error
}

var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// exits CODE COMMAND… runs a command that has to end with that exit code.
	"exits": func(ts *testscript.TestScript, neg bool, args []string) {
		code := 0
		err := ts.Exec(args[1], args[2:]...)
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			code = exit.ExitCode()
		} else {
			ts.Check(err)
		}
		if fmt.Sprint(code) != args[0] {
			ts.Fatalf("exit code %d, want %s", code, args[0])
		}
	},
	// ready waits until the server at $ADDRESS is.
	"ready": func(ts *testscript.TestScript, neg bool, args []string) {
		for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			text, err := send(ts, "GET", "/health", "")
			if err == nil && strings.Contains(text, `"status":"ok"`) {
				return
			}
			if time.Since(begin) > 2*time.Minute {
				ts.Fatalf("the server is not ready: %s %v", text, err)
			}
		}
	},
	// http METHOD PATH [BODYFILE [FIELD: VALUE…]] prints status and body.
	"http": func(ts *testscript.TestScript, neg bool, args []string) {
		text, err := sendArguments(ts, args)
		if (err != nil) != neg {
			ts.Fatalf("http: %v", err)
		}
		fmt.Fprintln(ts.Stdout(), text)
	},
	// capture NAME REGEXP puts what the expression's group matches in the last
	// output into a variable.
	"capture": func(ts *testscript.TestScript, neg bool, args []string) {
		found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
		if found == nil {
			ts.Fatalf("no match for %s", args[1])
		}
		ts.Setenv(args[0], found[1])
	},
	// later is http whose answer is awaited by the command answer.
	"later": func(ts *testscript.TestScript, neg bool, args []string) {
		answers := ts.Value(repliesKey{}).(chan reply)
		go func() {
			text, err := sendArguments(ts, args)
			answers <- reply{text, err}
		}()
	},
	"answer": func(ts *testscript.TestScript, neg bool, args []string) {
		a := <-ts.Value(repliesKey{}).(chan reply)
		ts.Check(a.err)
		fmt.Fprintln(ts.Stdout(), a.text)
	},
	// running waits until the server has that many executions under way.
	"running": func(ts *testscript.TestScript, neg bool, args []string) {
		for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			text, err := send(ts, "GET", "/v1/executions?status=running", "")
			ts.Check(err)
			if fmt.Sprint(strings.Count(text, `"id":`)) == args[0] {
				return
			}
			if time.Since(begin) > time.Minute {
				ts.Fatalf("running: %s", text)
			}
		}
	},
	// watched waits until that many streams of the server are open.
	"watched": func(ts *testscript.TestScript, neg bool, args []string) {
		for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			text, err := send(ts, "GET", "/metrics", "")
			ts.Check(err)
			if strings.Contains(text, "\nmayfly_event_streams "+args[0]+"\n") {
				return
			}
			if time.Since(begin) > time.Minute {
				ts.Fatalf("nobody watches: %s", text)
			}
		}
	},
	// terminate asks the processes in the background to stop, as an operator
	// would; wait waits for them.
	"terminate": func(ts *testscript.TestScript, neg bool, args []string) {
		for _, c := range ts.BackgroundCmds() {
			ts.Check(c.Process.Signal(syscall.SIGTERM))
		}
	},
	// member NAME FIELD sets a variable to a member of the JSON on standard
	// output.
	"member": func(ts *testscript.TestScript, neg bool, args []string) {
		_, body, _ := strings.Cut(ts.ReadFile("stdout"), "{")
		var o map[string]any
		ts.Check(json.NewDecoder(strings.NewReader("{" + body)).Decode(&o))
		ts.Setenv(args[0], fmt.Sprint(o[args[1]]))
	},
}

func sendArguments(ts *testscript.TestScript, args []string) (string, error) {
	body := ""
	if len(args) > 2 {
		body = ts.ReadFile(args[2])
	}
	return send(ts, args[0], args[1], body, args[min(len(args), 3):]...)
}

// send asks the server at $ADDRESS, and gives the status and the body.
func send(ts *testscript.TestScript, method, path, body string, fields ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+ts.Getenv("ADDRESS")+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.Status + "\n" + string(text), err
}
