package egress

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestPolicy(t *testing.T) {
	guard := NewGuard(Config{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}})
	cases := []struct {
		rules  []Rule
		method string
		url    string
		want   string // part of the refusal; empty: allowed
	}{
		{nil, "GET", "http://example.com/", `add {"host": "example.com"} to network.allow`},
		{nil, "GET", "http://example.com:8080/", `add {"host": "example.com", "ports": [8080]} to network.allow`},
		{[]Rule{{Host: "example.com"}}, "GET", "http://example.com/", ""},
		{[]Rule{{Host: "Example.COM."}}, "GET", "https://EXAMPLE.com./", ""},
		{[]Rule{{Host: "bücher.example"}}, "GET", "https://xn--bcher-kva.example/", ""},
		{[]Rule{{Host: "example.com"}}, "GET", "http://example.com:8080/", "add 8080 to ports of the rule for example.com"},
		{[]Rule{{Host: "example.com"}}, "GET", "http://sub.example.com/", "no rule matches the host"},
		{[]Rule{{Host: "example.com"}}, "GET", "http://example.com.evil.example/", "no rule matches the host"},
		{[]Rule{{Host: "example.com"}}, "GET", "http://notexample.com/", "no rule matches the host"},
		{[]Rule{{Host: "*.example.com"}}, "GET", "http://a.b.example.com/", ""},
		{[]Rule{{Host: "*.example.com"}}, "GET", "http://example.com/", "no rule matches the host"},
		{[]Rule{{Host: "*.example.com"}}, "GET", "http://evilexample.com/", "no rule matches the host"},
		{[]Rule{{Host: "*"}}, "GET", "http://anything.example/", ""},
		{[]Rule{{Host: "*"}}, "GET", "http://8.8.8.8/", ""},
		{[]Rule{{Host: "*"}}, "GET", "http://127.0.0.1/", "the address is not on the public internet (loopback)"},
		{[]Rule{{Host: "*"}}, "GET", "http://[::1]/", "(loopback)"},
		{[]Rule{{Host: "*"}}, "GET", "http://[::ffff:169.254.169.254]/", "(metadata service)"},
		{[]Rule{{Host: "*"}}, "GET", "http://[64:ff9b::a00:1]/", "(private)"},
		{[]Rule{{Host: "*"}}, "GET", "http://2130706433/", "(loopback)"},
		{[]Rule{{Host: "*"}}, "GET", "http://10.1.2.3/", ""},
		{[]Rule{{Host: "*"}}, "GET", "http://example.com:22/", "add 22 to ports of the rule for *"},
		{[]Rule{{Host: "10.0.0.1"}}, "GET", "http://10.0.0.1/", "only the server's configuration can"},
		{[]Rule{{Host: "10.1.0.1"}}, "GET", "http://10.1.0.1/", ""},
		{[]Rule{{Host: "0x0a010001"}}, "GET", "http://10.1.0.1/", ""},
		{[]Rule{{Host: "10.1.0.0/24"}}, "GET", "http://10.1.0.77/", ""},
		{[]Rule{{Host: "10.1.0.0/24"}}, "GET", "http://[::ffff:10.1.0.77]/", ""},
		{[]Rule{{Host: "10.1.0.0/24"}}, "GET", "http://10.1.1.77/", "no rule matches the host"},
		{[]Rule{{Host: "0.0.0.0/0"}}, "GET", "http://name.example/", "no rule matches the host"},
		{[]Rule{{Host: "0.0.0.0/0"}}, "GET", "http://192.168.0.1/", "(private)"},
		{[]Rule{{Host: "[2606:4700::1111]"}}, "GET", "http://[2606:4700:0::1111]/", ""},
		{[]Rule{{Host: "example.com", Ports: []int{8080}}}, "GET", "http://example.com:8080/", ""},
		{[]Rule{{Host: "example.com", Ports: []int{8080}}}, "GET", "http://example.com/", "add 80 to ports"},
		{[]Rule{{Host: "example.com", Ports: []int{}}}, "GET", "http://example.com/", "add 80 to ports"},
		{[]Rule{{Host: "example.com", Methods: []string{"get"}}}, "GET", "http://example.com/", ""},
		{[]Rule{{Host: "example.com", Methods: []string{"GET"}}}, "POST", "http://example.com/", `add "POST" to methods of the rule for example.com`},
		{[]Rule{{Host: "example.com", Methods: []string{"GET"}}, {Host: "*", Methods: []string{"POST"}}}, "POST", "http://example.com/", ""},
	}
	for _, c := range cases {
		policy, err := guard.Compile(c.rules)
		if err != nil {
			t.Errorf("%v: %v", c.rules, err)
			continue
		}
		u, err := ParseURL(c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = policy.Check(c.method, u)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%v %s %s: %v", c.rules, c.method, c.url, err)
		case c.want != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v %s %s: got %v, want %q", c.rules, c.method, c.url, err, c.want)
		}
	}
	u, _ := ParseURL("http://example.com/", nil)
	if err := (*Policy)(nil).Check("GET", u); !errors.Is(err, ErrRefused) {
		t.Errorf("no policy: %v", err)
	}
}

func TestCompileNamesTheField(t *testing.T) {
	for _, c := range []struct {
		rule  Rule
		field string
	}{
		{Rule{}, "host"}, {Rule{Host: "https://example.com"}, "host"}, {Rule{Host: "example.com:80"}, "host"}, {Rule{Host: "a.*.example"}, "host"},
		{Rule{Host: "*example.com"}, "host"}, {Rule{Host: "*."}, "host"}, {Rule{Host: "example.com/path"}, "host"}, {Rule{Host: "10.0.0.0/33"}, "host"}, {Rule{Host: "*.10.0.0.1"}, "host"},
		{Rule{Host: "::ffff:10.0.0.0/104"}, "host"}, {Rule{Host: "fe80::1%eth0"}, "host"}, {Rule{Host: "a b"}, "host"}, {Rule{Host: "user@example.com"}, "host"},
		{Rule{Host: "example.com", Ports: []int{0}}, "ports"}, {Rule{Host: "example.com", Ports: []int{65536}}, "ports"},
		{Rule{Host: "example.com", Methods: []string{"GE T"}}, "methods"}, {Rule{Host: "example.com", Methods: []string{""}}, "methods"},
	} {
		_, err := NewGuard(Config{}).Compile([]Rule{{Host: "fine.example"}, c.rule})
		var typed *RuleError
		if !errors.As(err, &typed) || typed.Index != 1 || typed.Field != c.field {
			t.Errorf("%v: got %v", c.rule, err)
		}
	}
	if _, err := NewGuard(Config{}).Compile(make([]Rule, MaxRules+1)); err == nil {
		t.Error("any number of rules is taken")
	}
}

func BenchmarkCheck(b *testing.B) {
	b.ReportAllocs()
	policy, err := NewGuard(Config{}).Compile([]Rule{{Host: "one.example"}, {Host: "*.two.example"}, {Host: "*.three.example", Methods: []string{"GET"}}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		u, err := ParseURL("https://api.three.example/v1/things?limit=10", nil)
		if err == nil {
			err = policy.Check("GET", u)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// TestConnectionPolicy: what goes through a connection can't be judged, so rules
// that look at it open none.
func TestConnectionPolicy(t *testing.T) {
	guard := NewGuard(Config{})
	for _, c := range []struct {
		rules []Rule
		at    string
		want  string // part of the refusal; empty: allowed
	}{
		{nil, "db.example:5432", `add {"host": "db.example", "ports": [5432]} to network.allow`},
		{[]Rule{{Host: "db.example", Ports: []int{5432}}}, "db.example:5432", ""},
		{[]Rule{{Host: "db.example"}}, "db.example:5432", "add 5432 to ports of the rule for db.example"},
		{[]Rule{{Host: "*", AnyPort: true}}, "db.example:5432", ""},
		{[]Rule{{Host: "db.example"}}, "db.example:80", ""},
		{[]Rule{{Host: "db.example", Methods: []string{"GET"}}}, "db.example:443", "the rule has methods, so it opens HTTP alone; add a rule for db.example without methods"},
		{[]Rule{{Host: "db.example", Methods: []string{"GET"}}, {Host: "*"}}, "db.example:443", ""},
		{[]Rule{{Host: "*", AnyPort: true}}, "mail.example:25", "add 25 to ports of the rule for *"},
		{[]Rule{{Host: "*", AnyPort: true, Ports: []int{25}}}, "mail.example:25", ""},
		{[]Rule{{Host: "*", AnyPort: true}}, "[::1]:22", "the address is not on the public internet (loopback)"},
		{[]Rule{{Host: "*", AnyPort: true}}, "169.254.169.254:80", "(metadata service)"},
		{[]Rule{{Host: "api.example", Ports: []int{80}, Inject: []Injection{{Secret: "KEY", Header: "authorization"}}}}, "api.example:80", ""},
	} {
		policy, err := guard.Compile(c.rules)
		if err != nil {
			t.Errorf("%v: %v", c.rules, err)
			continue
		}
		u, err := ParseURL("https://"+c.at+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		err = policy.CheckConnection(u)
		var refusal *Refusal
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &refusal) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v, %s: %v, not %q", c.rules, c.at, err, c.want)
		}
	}
}
