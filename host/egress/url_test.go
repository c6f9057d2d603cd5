package egress

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	cases := []struct{ in, want string }{
		{"http://example.com", "http://example.com/"},
		{"HTTPS://EXAMPLE.com:443/Path?q#f", "https://example.com/Path?q#f"},
		{"http://example.com:80/", "http://example.com/"},
		{"http://example.com:8080", "http://example.com:8080/"},
		{"http://example.com:00080/", "http://example.com/"},
		{"  http://exa\nmple.com\t/a b ", "http://example.com/a%20b"},
		{`http:\\example.com\a\b`, "http://example.com/a/b"},
		{"http:example.com", "http://example.com/"},
		{"http:////example.com/x", "http://example.com/x"},
		{"http://example.com./", "http://example.com/"},
		{"http://localhost./", "http://localhost/"},
		{"http://EXAMPLE.COM%2e/", "http://example.com/"},
		{"http://%65xample.com/", "http://example.com/"},
		{"http://bücher.example/", "http://xn--bcher-kva.example/"},
		{"http://example.com/ü?ü='", "http://example.com/%C3%BC?%C3%BC=%27"},
		{"http://example.com/%zz%41", "http://example.com/%25zz%41"},
		{"http://example.com/a/../b/./c", "http://example.com/b/c"},
		{"http://example.com//double//", "http://example.com//double//"},
		{"http://@example.com/", "http://example.com/"},
		{"http://example.com?", "http://example.com/?"},
		{"http://my_host.example/", "http://my_host.example/"},
		// Spellings of addresses.
		{"http://127.0.0.1/", "http://127.0.0.1/"},
		{"http://127.1/", "http://127.0.0.1/"},
		{"http://2130706433/", "http://127.0.0.1/"},
		{"http://0x7f000001/", "http://127.0.0.1/"},
		{"http://0X7F.1/", "http://127.0.0.1/"},
		{"http://0177.0.0.01/", "http://127.0.0.1/"},
		{"http://017700000001/", "http://127.0.0.1/"},
		{"http://127.0.0.1./", "http://127.0.0.1/"},
		{"http://127%2e0%2e0%2e1/", "http://127.0.0.1/"},
		{"http://１２７。０。０。１/", "http://127.0.0.1/"},
		{"http://①②⑦.0.0.1/", "http://127.0.0.1/"},
		{"http://0/", "http://0.0.0.0/"},
		{"http://0x/", "http://0.0.0.0/"},
		{"http://[::1]/", "http://[::1]/"},
		{"http://[0:0::0:1]:81/", "http://[::1]:81/"},
		{"http://[::ffff:127.0.0.1]/", "http://[::ffff:127.0.0.1]/"},
	}
	for _, c := range cases {
		u, err := ParseURL(c.in, nil)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got := u.String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
}

func TestParseURLAgainstBase(t *testing.T) {
	base, err := ParseURL("https://example.com:8443/dir/file?query", nil)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct{ in, want string }{
		{"", "https://example.com:8443/dir/file?query"},
		{"other", "https://example.com:8443/dir/other"},
		{"/root", "https://example.com:8443/root"},
		{`\root`, "https://example.com:8443/root"},
		{"../up", "https://example.com:8443/up"},
		{"?only", "https://example.com:8443/dir/file?only"},
		{"//other.example/x", "https://other.example/x"},
		{`/\other.example\x`, "https://other.example/x"},
		{`\\10.0.0.1`, "https://10.0.0.1/"},
		{"https:relative", "https://example.com:8443/dir/relative"},
		{"http:absolute", "http://absolute/"},
		{"a:b", ""},
		{"javascript:1", ""},
		{"file:///etc/passwd", ""},
	}
	for _, c := range cases {
		u, err := ParseURL(c.in, base)
		if c.want == "" {
			if !errors.Is(err, ErrURL) {
				t.Errorf("%s: got %v, %v", c.in, u, err)
			}
			continue
		}
		if err != nil || u.String() != c.want {
			t.Errorf("%s: got %v, %v, want %s", c.in, u, err, c.want)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for _, in := range []string{
		"", "example.com", "/path", "ftp://example.com/", "file:///etc/passwd", "data:,x", "http://", "https:///", "http://:80/", "http://./", "http://../",
		"http://user@example.com/", "http://user:password@example.com/", "http://:password@example.com/", "http://127.0.0.1@example.com/",
		"http://example.com:65536/", "http://example.com:0/", "http://example.com:-1/", "http://example.com:8x/", "http://example.com:99999999999999999999/",
		"http://a..b/", "http://exa mple.com/", "http://exa%00mple.com/", "http://exa%0d%0ample.com/", "http://exa%2fmple.com/", "http://a%b/", "http://a<b/", "http://a|b/",
		"http://[::1%25lo]/", "http://[::1%lo]/", "http://[fe80::1%eth0]/", "http://[::1/", "http://::1/", "http://[127.0.0.1]/", "http://[::1]x/", "http://[v1.x]/",
		"http://256.0.0.1/", "http://1.2.3.4.5/", "http://4294967296/", "http://0x100000000/", "http://08/", "http://1.2.3.0xg.9/", "http://1..2/", "http://127.0.0.99999/", "http://99999999999999999999999/",
		"http://" + strings.Repeat("a", 64) + ".example/", "http://" + strings.Repeat("abc.", 80) + "example/", "http://example.com/" + strings.Repeat("x", MaxURL), "http://xn--/", "http://\xff/",
	} {
		if u, err := ParseURL(in, nil); !errors.Is(err, ErrURL) {
			t.Errorf("%.80q: got %v, %v", in, u, err)
		}
	}
}

// What was parsed once means the same when it is read again, here and by net/url.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"http://example.com/", "http://0x7f.1:80/a/../b?c#d", "//x", `http:\\[::1]\`, "?q", "http://a@b/", "http://ü/%zz"} {
		f.Add(s)
	}
	base, _ := ParseURL("http://base.example/dir/file", nil)
	f.Fuzz(func(t *testing.T, in string) {
		u, err := ParseURL(in, base)
		if err != nil {
			return
		}
		again, err := ParseURL(u.String(), nil)
		if err != nil || again.String() != u.String() {
			t.Fatalf("%q became %q, and then %v, %v", in, u, again, err)
		}
		std, err := url.Parse(u.String())
		if err != nil || std.Host != u.Host {
			t.Fatalf("%q became %q, for net/url %v, %v", in, u, std, err)
		}
		if host := u.Hostname(); isPlain(host) {
			if mapped, err := lookup.ToASCII(host); err != nil || mapped != host {
				t.Fatalf("%q is not plain: %q, %v", host, mapped, err)
			}
		}
		name, addr, err := parseHost(u.Hostname())
		if err != nil || name == "" && !addr.IsValid() {
			t.Fatalf("%q: the host %q can't be read again: %v", in, u.Hostname(), err)
		}
		if addr, err := netip.ParseAddr(u.Hostname()); (err == nil) != (name == "") {
			t.Fatalf("%q: %v is an address for one, a name for the other", in, addr)
		}
	})
}
