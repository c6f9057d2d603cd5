package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// short is a choice of the suite that takes seconds: something of every
// interface, all of what is quick.
var short = []string{
	"FileAPI", "console", "dom", "hr-time", "html", "performance-timeline", "user-timing", "url", "webidl", "webmessaging",
	"encoding/api-*", "encoding/idlharness.any.js", "encoding/textdecoder-*", "encoding/streams",
	"streams/idlharness.any.js", "streams/piping", "streams/readable-byte-streams", "streams/transform-streams",
	"WebCryptoAPI/digest", "WebCryptoAPI/randomUUID.https.any.js", "WebCryptoAPI/encrypt_decrypt",
	"wasm/jsapi/module", "wasm/jsapi/memory", "wasm/jsapi/constructor",
}

// The chosen tests end as the expectations say.
func TestSuite(t *testing.T) {
	cache, err := cacheDirectory()
	if err != nil {
		t.Fatal(err)
	}
	suite, err := fetchSuite(t.Context(), cache, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := findTests(suite, short)
	if err != nil {
		t.Fatal(err)
	}
	o := options{suite: suite, cache: cache, expectations: filepath.FromSlash("../../testdata/wpt"), parallel: 2 * runtime.GOMAXPROCS(0)}
	var out bytes.Buffer
	if err := o.runTests(t.Context(), tests, &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// A suite of the test's own, with all ways in which a file can end: each is
// told apart, and counted.
func TestOutcomes(t *testing.T) {
	cache, err := cacheDirectory()
	if err != nil {
		t.Fatal(err)
	}
	real, err := fetchSuite(t.Context(), cache, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	harness, err := os.ReadFile(filepath.Join(real, "resources", "testharness.js"))
	if err != nil {
		t.Fatal(err)
	}
	suite := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		file := filepath.Join(suite, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("resources/testharness.js", string(harness))
	write("a/shared.js", "const shared = 1; function twice(x) { return 2 * x; }")
	write("a/data.json", `{"n": 3}`)
	write("a/pass.any.js", `// META: title=passes
// META: script=shared.js
// META: variant=?one
// META: variant=?two
"use strict";
test(() => { assert_equals(twice(shared), 2); assert_equals((function () { return this; })(), undefined); }, "scripts " + location.search);
promise_test(async () => { assert_equals((await (await fetch("data.json")).json()).n, 3); }, "fetch");
`)
	write("a/fail.any.js", `test(() => { assert_true(false, "no"); }, "fails"); test(() => {}, "passes");`)
	write("a/throw.any.js", `test(() => {}, "before"); throw new Error("outside");`)
	write("a/syntax.any.js", `test(() => {`)
	write("a/duplicate.any.js", `test(() => {}, "same"); test(() => {}, "same");`)
	write("a/hang.any.js", `async_test(() => {}, "never"); test(() => {}, "passes");`)
	write("a/crash.any.js", `test(() => {}, "passes"); setTimeout(() => process.exit(3)); async_test(() => {}, "never");`)
	tests, err := findTests(suite, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRunner(t.Context(), suite, cache)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	r.time = time.Second
	got := map[string]string{}
	outcomes := r.runAll(t.Context(), tests, 2)
	for i := range outcomes {
		o := &outcomes[i]
		var b strings.Builder
		for _, s := range o.subtests {
			b.WriteString(s.Name + "=" + s.Status.String() + " ")
		}
		if o.broken != "" {
			b.WriteString("broken")
		}
		got[o.test.id()] = strings.TrimSpace(b.String())
	}
	want := map[string]string{
		"a/pass.any.js?one":  "scripts ?one=pass fetch=pass",
		"a/pass.any.js?two":  "scripts ?two=pass fetch=pass",
		"a/fail.any.js":      "fails=fail passes=pass",
		"a/throw.any.js":     "before=pass broken",
		"a/syntax.any.js":    "broken",
		"a/duplicate.any.js": "same=pass same=pass broken",
		"a/hang.any.js":      "passes=pass never=time-out broken",
		"a/crash.any.js":     "passes=pass broken",
	}
	for id, w := range want {
		if got[id] != w {
			t.Errorf("%s: got %q, want %q", id, got[id], w)
		}
	}

	// Both sides count: what fails and is not on the list, and what passes and is.
	list := "a/duplicate.any.js 3\n\t# names twice\n\tfile\na/pass.any.js?one 2\na/pass.any.js?two 2\n\t# no reason\n\t\"fetch\"\na/fail.any.js 2\na/throw.any.js 2\n\t# throws\n\tfile\n" +
		"a/syntax.any.js 7\n\t# is no program\n\tfile\na/hang.any.js 3\n\t# hangs\n\tfile\n\t\"never\"\na/crash.any.js 2\n\t# exits\n\tfile\n"
	expected := expectations{}
	if err := expected.parse("a.txt", []byte(list)); err != nil {
		t.Fatal(err)
	}
	report := newReport(outcomes, expected)
	if len(report.unexpected) != 2 || !strings.Contains(report.unexpected[0], `fail.any.js: "fails"`) || !strings.Contains(report.unexpected[1], `pass.any.js?two: "fetch" passes`) {
		t.Errorf("unexpected: %q", report.unexpected)
	}
	tallies := report.tallies()
	if all := tallies[len(tallies)-1]; all.passed != 2+2+2+1+1+0+1+1 || all.total != 2+2+3+2+2+7+3+2 {
		t.Errorf("%d of %d", all.passed, all.total)
	}
	// An update takes off what passes, and puts on nothing.
	expected.update(outcomes, "")
	if report := newReport(outcomes, expected); len(report.unexpected) != 1 {
		t.Errorf("after an update: %q", report.unexpected)
	}
	expected.update(outcomes, "why")
	if report := newReport(outcomes, expected); len(report.unexpected) != 0 {
		t.Errorf("after an addition: %q", report.unexpected)
	}
	again := expectations{}
	if err := again.parse("a.txt", expected.format("a")); err != nil {
		t.Fatal(err)
	}
	if report := newReport(outcomes, again); len(report.unexpected) != 0 {
		t.Errorf("written and read: %q", report.unexpected)
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"url", "url/a.any.js", true}, {"url/", "url/a.any.js", true}, {"ur", "url/a.any.js", false}, {"url/a", "url/a.any.js", true},
		{"url/a.any.js?x", "url/a.any.js", true}, {"*idl*", "url/idlharness.any.js", true}, {"url/*b*", "url/a.any.js", false}, {"*.any.js", "a/b.any.js", true},
		{"a*a.any.js", "a.any.js", false},
	} {
		if got := matches(c.pattern, c.name); got != c.want {
			t.Errorf("%s, %s: %v", c.pattern, c.name, got)
		}
	}
}

func TestMetadata(t *testing.T) {
	source := "// META: title=x\n// META: script=../b.js\n// a comment\n//META: script=/resources/WebIDLParser.js\n// META: timeout=long\n// META: variant=?1\n// META: variant=?2\ncode\n// META: script=late.js\n"
	got := readTest("a/t.any.js", bufio.NewScanner(strings.NewReader(source)))
	one := test{path: "a/t.any.js", variant: "?1", scripts: []string{"b.js", "resources/webidl2/lib/webidl2.js"}, long: true}
	two := one
	two.variant = "?2"
	if !reflect.DeepEqual(got, []test{one, two}) {
		t.Errorf("got %+v", got)
	}
}

func TestPackageSources(t *testing.T) {
	for in, want := range map[string]string{
		"Types: deb\nURIs: u\nSuites: s\n\nTypes: deb deb-src\nURIs: v\n":       "Types: deb-src\nURIs: u\nSuites: s\n\nTypes: deb-src\nURIs: v\n",
		"# main\ndeb [signed-by=k] u s main\ndeb-src u s main\n#deb v s main\n": "# main\ndeb-src [signed-by=k] u s main\n# deb-src u s main\n#deb v s main\n",
	} {
		if got := string(sourceEntries([]byte(in))); got != want {
			t.Errorf("%q: got %q", in, got)
		}
	}
}

// Archives are not trusted, even of a known digest: nothing leads out.
func TestUnpacking(t *testing.T) {
	pack := func(headers ...tar.Header) io.Reader {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range headers {
			h.Mode = 0o644
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			w.Write(bytes.Repeat([]byte("x"), int(h.Size)))
		}
		w.Close()
		return &b
	}
	folder := t.TempDir()
	root, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	count, err := unpackTar(pack(
		tar.Header{Name: "n/test/fixtures/wpt/a/b.any.js", Typeflag: tar.TypeReg, Size: 3},
		tar.Header{Name: "n/other", Typeflag: tar.TypeReg, Size: 3},
		tar.Header{Name: "n/test/fixtures/wpt/link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
	), root)
	if err != nil || count != 1 {
		t.Fatalf("%d tests, %v", count, err)
	}
	files, _ := filepath.Glob(filepath.Join(folder, "*"))
	if content, err := os.ReadFile(filepath.Join(folder, "a", "b.any.js")); err != nil || string(content) != "xxx" || len(files) != 1 {
		t.Errorf("%q, %v, %q", content, err, files)
	}
	if _, err := unpackTar(pack(tar.Header{Name: "n/test/fixtures/wpt/../../out", Typeflag: tar.TypeReg, Size: 1}), root); err == nil {
		t.Error("a file was written outside")
	}
	if _, err := unpackTar(strings.NewReader(strings.Repeat("no archive", 100)), root); err == nil {
		t.Error("no archive was unpacked")
	}
}

func TestExpectationErrors(t *testing.T) {
	for _, text := range []string{"a", "a b", "a -1", "\t# x", "a 1\n\tfile", "a 1\n\t# r\n\tx", "a 1\na 2"} {
		var wrong *SyntaxError
		if err := (expectations{}).parse("x.txt", []byte(text)); !errors.As(err, &wrong) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What is read can be written, and is the same when it is read again.
func FuzzExpectations(f *testing.F) {
	f.Add("a/b.any.js 3\n\t# why\n\tfile\n\t\"x\\ny\"\n\t# other\n\t\"z\"\na/c 1\n\t# r\n\tall\n")
	f.Fuzz(func(t *testing.T, text string) {
		first := expectations{}
		if first.parse("f.txt", []byte(text)) != nil {
			return
		}
		folders := map[string]bool{}
		for id := range first {
			folders[(&test{path: id}).folder()] = true
		}
		second := expectations{}
		for folder := range folders {
			if err := second.parse("g.txt", first.format(folder)); err != nil {
				t.Fatal(err)
			}
		}
		for id, e := range first {
			s := second[id]
			if s == nil || s.total != e.total || s.broken != e.broken || s.all != e.all || !reflect.DeepEqual(s.fails, e.fails) {
				t.Fatalf("%s: %+v became %+v", id, e, s)
			}
		}
	})
}
