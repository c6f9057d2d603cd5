package deployment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"mayfly/host/binding/assets"
	"mayfly/host/op"
	"mayfly/host/rpc"
	"mayfly/host/worker"
)

// texts are assets by name.
type texts map[string]string

func (x texts) Find(_ context.Context, name string) (*assets.File, error) {
	text, found := x[name]
	if !found {
		return nil, nil
	}
	return &assets.File{Size: int64(len(text)), ETag: name, Open: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text[offset : offset+length])), nil
	}}, nil
}

// failing is a worker whose handler throws.
type failing struct {
	rpc.Target
	err error
}

func (f failing) Fetch(_ context.Context, r *rpc.Request) (*rpc.Response, error) {
	r.Body.Discard()
	return nil, f.err
}

// The assets are the origin behind a worker that lets its failures pass through.
func TestPassThrough(t *testing.T) {
	thrown := &op.ErrorRecord{Name: "RangeError", Message: "no"}
	passing := &worker.PassThroughError{Record: thrown}
	for _, c := range []struct {
		name, method, path string
		err                error
		handling           string
		status             int // 0: the failure
		body               string
	}{
		{"there", "GET", "/a.txt", passing, "", 200, "a"},
		{"a page", "GET", "/", passing, "", 200, "index"},
		{"without a body", "HEAD", "/a.txt", passing, "", 200, ""},
		{"it did not ask for it", "GET", "/a.txt", thrown, "", 0, ""},
		{"no answer to a POST", "POST", "/a.txt", passing, "", 0, ""},
		{"nothing is there", "GET", "/b.txt", passing, "", 0, ""},
		{"nothing, by name", "GET", "/b.txt", passing, assets.NotFoundNone, 0, ""},
		{"a page for what is not there", "GET", "/b.txt", passing, assets.NotFoundPage, 404, "not found"},
		{"one page for all", "GET", "/b.txt", passing, assets.NotFoundSPA, 200, "index"},
	} {
		t.Run(c.name, func(t *testing.T) {
			target, _, err := Front(texts{"a.txt": "a", "index.html": "index", "404.html": "not found"},
				&Assets{RunWorkerFirst: true, NotFoundHandling: c.handling}, failing{err: c.err})
			if err != nil {
				t.Fatal(err)
			}
			response, err := target.Fetch(t.Context(), &rpc.Request{Method: c.method, URL: "http://a.test" + c.path})
			if c.status == 0 {
				var record *op.ErrorRecord
				if !errors.As(err, &record) || record != thrown {
					t.Errorf("got %v, %v", response, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			body := ""
			if response.Body.Stream != nil {
				b, err := io.ReadAll(response.Body.Stream.Reader())
				if err != nil {
					t.Fatal(err)
				}
				body = string(b)
			}
			if response.Status != c.status || body != c.body {
				t.Errorf("%d %q", response.Status, body)
			}
		})
	}
}

// TestFrontHasRules: those of the files _headers and _redirects, before the worker.
func TestFrontHasRules(t *testing.T) {
	target, _, err := Front(texts{"a.txt": "a"}, &Assets{Headers: "/*\n  X-Rule: :splat", Redirects: "/old/:name /:name 301\n/there /a.txt 200"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{
		"/a.txt":         "200 x-rule=a.txt",
		"/there":         "200 x-rule=there",
		"/old/a.txt?b=c": "301 location=/a.txt?b=c x-rule=old/a.txt",
	} {
		response, err := target.Fetch(t.Context(), &rpc.Request{Method: "GET", URL: "http://a.test" + asked})
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Discard()
		got := fmt.Sprint(response.Status)
		for _, p := range response.Header {
			if p.Name == "location" || p.Name == "x-rule" {
				got += " " + p.Name + "=" + p.Value
			}
		}
		if got != want {
			t.Errorf("%s: %s, not %s", asked, got, want)
		}
	}
}
