package assets

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"mayfly/host/op"
)

// pages are files whose content is their name.
type pages []string

func (p pages) Find(_ context.Context, name string) (*File, error) {
	if !slices.Contains(p, name) {
		return nil, nil
	}
	return &File{Size: int64(len(name)), ETag: "tag", Open: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(name[offset : offset+length])), nil
	}}, nil
}

func TestRedirects(t *testing.T) {
	rules, warnings := ParseRules(`# where things have gone
/home301 / 301
/home302 /
/query /?query=string 307
/elsewhere https://other.test/x#y 308
/bücher /books
/fragment#x /there#here
/proxied /page 200
/same /first
/same /second
/trailing/ /with-slash 303
/blog/* https://blog.test/:splat
/products/:code/:name /product?code=:code&name=:name&as=:other 302
/after /static-after-dynamic
/files/*.txt /texts/:splat 200
`, "")
	if want := []string{"_redirects:10: there is a redirect of /same before"}; !slices.Equal(warnings, want) {
		t.Errorf("%q", warnings)
	}
	a := NewWith(pages{"home302.html", "page.html", "texts/a", "index.html"}, Options{Rules: rules, NotFound: NotFoundNone})
	for asked, want := range map[string]string{
		"/home301":           "301 /",
		"/home302":           "302 /", // though there is a page
		"/query":             "307 /?query=string",
		"/elsewhere":         "308 https://other.test/x#y",
		"/b%C3%BCcher":       "302 /books",
		"/fragment":          "302 /there#here",
		"/proxied":           "200 page.html",
		"/same":              "302 /first",
		"/trailing/":         "303 /with-slash",
		"/trailing":          "nothing",
		"/blog/":             "302 https://blog.test/",
		"/blog/a/b":          "302 https://blog.test/a/b",
		"/blog":              "nothing",
		"/products/1/two":    "302 /product?code=1&name=two&as=:other",
		"/products/1/two/3":  "nothing",
		"/products//two":     "nothing",
		"/after":             "302 /static-after-dynamic",
		"/files/a.txt":       "200 texts/a",
		"/files/missing.txt": "nothing",
		"/else":              "nothing",
	} {
		r, err := a.Find(t.Context(), "GET", asked, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := "nothing"
		if r != nil {
			got = fmt.Sprint(r.Status, " ")
			for _, p := range r.Header {
				if p.Name == "location" {
					got += p.Value
				}
			}
			if r.Body != nil {
				b, _ := io.ReadAll(r.Body)
				got += string(b)
			}
		}
		if got != want {
			t.Errorf("%s: %s, not %s", asked, got, want)
		}
	}
}

func TestHeaderRules(t *testing.T) {
	rules, warnings := ParseRules("/moved /there", `
# of everything
/*
  X-Frame-Options: DENY
  Cache-Control: public, max-age=60
  X-Robots-Tag: a

/secure/*
  ! X-Frame-Options
  X-Robots-Tag: b
  Set-Cookie: one=1

/secure/page
  Set-Cookie: two=2
  ! cache-control
/movies/:title
  X-Movie: You are watching ":title"
/x/*
  X-Rest: <:splat>
/missing
  X-Missing: yes
`)
	if len(warnings) > 0 {
		t.Errorf("%q", warnings)
	}
	a := NewWith(pages{"index.html", "secure/page.html", "movies/Metropolis.html", "x/y/z.html"}, Options{Rules: rules})
	for asked, want := range map[string]string{
		"/":                  "cache-control=public, max-age=60 x-frame-options=DENY x-robots-tag=a",
		"/secure/page":       "x-robots-tag=a, b set-cookie=one=1 set-cookie=two=2",
		"/movies/Metropolis": `cache-control=public, max-age=60 x-frame-options=DENY x-robots-tag=a x-movie=You are watching "Metropolis"`,
		"/x/y/z":             "cache-control=public, max-age=60 x-frame-options=DENY x-robots-tag=a x-rest=<y/z>",
		"/moved":             "location=/there x-frame-options=DENY cache-control=public, max-age=60 x-robots-tag=a",
		"/missing":           "x-frame-options=DENY cache-control=public, max-age=60 x-robots-tag=a x-missing=yes",
	} {
		r, err := a.Serve(t.Context(), "GET", asked, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range r.Header {
			if !slices.Contains([]string{"content-type", "content-length", "etag", "accept-ranges"}, p.Name) {
				got = append(got, p.Name+"="+p.Value)
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %s\nnot %s", asked, text, want)
		}
	}
}

func TestRulesThatSayNothing(t *testing.T) {
	var static, dynamic, headers strings.Builder
	for i := range maxStaticRedirects + 1 {
		fmt.Fprintf(&static, "/%d /x\n", i)
	}
	for i := range maxDynamicRedirects + 1 {
		fmt.Fprintf(&dynamic, "/%d/* /x\n", i)
	}
	for i := range maxHeaderRules + 1 {
		fmt.Fprintf(&headers, "/%d\n  A: b\n", i)
	}
	for _, test := range []struct{ redirects, headers, want string }{
		{"/only", "", "_redirects:1: expected a path, where it leads, and maybe a status"},
		{"/a /b 302 Country=de", "", "_redirects:1: expected a path, where it leads, and maybe a status"},
		{"/a /b 404", "", `_redirects:1: "404" is none of the statuses`},
		{"https://a.test/x /b", "", `_redirects:1: "https://a.test/x" is no path: hosts have no rules`},
		{"/a ftp://b.test", "", `_redirects:1: "ftp://b.test" is neither a path nor a URL`},
		{"/a //b.test", "", `_redirects:1: "//b.test" is neither a path nor a URL`},
		{"/a https://b.test 200", "", "_redirects:1: a proxy (200) leads to a path"},
		{"/* /index.html 200", "", "_redirects:1: it leads to itself: not_found_handling"},
		{"/*/* /b", "", `_redirects:1: "/*/*" has more than one *`},
		{"/:a/:a /b", "", "has :a twice"},
		{"/a " + strings.Repeat("/b", maxRedirect), "", "_redirects:1: the line has more than 1000 characters"},
		{static.String(), "", "_redirects:2001: there are more than 2000 redirects"},
		{dynamic.String(), "", "_redirects:101: there are more than 100 redirects"},
		{"", "A: b", "_headers:1: a header before the first path"},
		{"", "/a\n/b\n A: b", "_headers:1: the rule has no headers"},
		{"", "/a\n what", "_headers:2: expected a header as Name: value"},
		{"", "/a\n A:", "_headers:2: expected a header as Name: value"},
		{"", "/a\n A B: c", `_headers:2: "a b" is no name of a header`},
		{"", "/a\n A: \x01", "_headers:2: the value has characters"},
		{"", "/a\n Content-Length: 5", "_headers:2: content-length is the connection's own"},
		{"", "/a\n ! A B", `_headers:2: "a b" is no name of a header`},
		{"", "https://a.test/*\n A: b", `_headers:1: "https://a.test/*" is no path: hosts have no rules`},
		{"", "/a\n A: " + strings.Repeat("b", maxHeaderLine), "_headers:2: the line has more than 2000 characters"},
		{"", headers.String(), "_headers:201: there are more than 100 rules"},
	} {
		_, warnings := ParseRules(test.redirects, test.headers)
		if len(warnings) == 0 || !strings.Contains(warnings[0], test.want) {
			t.Errorf("%.50q %.50q: %q, not %s", test.redirects, test.headers, warnings, test.want)
		}
	}
}

func TestWithQuery(t *testing.T) {
	for _, test := range []struct{ location, query, want string }{
		{"/a", "", "/a"}, {"/a", "b=c", "/a?b=c"}, {"/a?d", "b=c", "/a?d"}, {"/a#f", "b=c", "/a?b=c#f"}, {"/a#f?g", "b=c", "/a?b=c#f?g"},
	} {
		if got := WithQuery(test.location, test.query); got != test.want {
			t.Errorf("%s %s: %s", test.location, test.query, got)
		}
	}
}

func FuzzRules(f *testing.F) {
	f.Add("/a /b\n/c/* /d/:splat 200", "/*\n A: :splat\n ! B", "/c/x")
	f.Add("/:a/:b /:b/:a 301", "/:a\n X: :a, :a", "/x/y")
	f.Fuzz(func(t *testing.T, redirects, headers, path string) {
		rules, _ := ParseRules(redirects, headers)
		if location, status := rules.redirect(path); status != 0 && (location == "" || strings.ContainsAny(location, "\r\n") && !strings.ContainsAny(path, "\r\n")) {
			t.Errorf("%d %q", status, location)
		}
		answer := &Response{Header: []op.Pair{{Name: "b", Value: "c"}}}
		rules.apply(path, answer)
		for _, p := range answer.Header {
			if p.Name == "" || strings.ContainsAny(p.Name+p.Value, "\r\n") && !strings.ContainsAny(path, "\r\n") {
				t.Errorf("%q", p)
			}
		}
	})
}
