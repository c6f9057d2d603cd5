package egress

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestInjectionsHoldForTheirRule(t *testing.T) {
	key := Injection{Header: "Authorization", Secret: "KEY", Format: "Bearer {}"}
	policy, err := NewGuard(Config{}).Compile([]Rule{
		{Host: "api.example.com", Methods: []string{"GET"}, Inject: []Injection{key}},
		{Host: "*.example.com"},
		{Host: "plain.example", Inject: []Injection{{Query: "k", Secret: "OTHER"}, {Header: "X-Key", Secret: "KEY"}}, AllowHTTP: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, url, secrets, refusal string
	}{
		{"GET", "https://api.example.com/", "KEY", ""},
		{"POST", "https://api.example.com/", "", ""},
		{"GET", "https://www.example.com/", "", ""},
		{"GET", "http://api.example.com/", "", "set allow_http in the rule for api.example.com"},
		{"GET", "http://plain.example/", "OTHER KEY", ""},
	} {
		u, err := ParseURL(c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		injections, err := policy.Admit(c.method, u)
		var secrets []string
		for _, i := range injections {
			secrets = append(secrets, i.Secret)
		}
		if got := strings.Join(secrets, " "); got != c.secrets || (err == nil) != (c.refusal == "") || err != nil && !strings.Contains(err.Error(), c.refusal) {
			t.Errorf("%s %s: %q, %v", c.method, c.url, got, err)
		}
	}
	if got := policy.Injects(); !slices.Equal(got, []string{"KEY", "OTHER"}) {
		t.Errorf("Injects: %q", got)
	}
	if got := (*Policy)(nil).Injects(); got != nil {
		t.Errorf("of the policy that refuses all: %q", got)
	}
}

func TestCompileNamesTheInjection(t *testing.T) {
	ok := Injection{Header: "X-Key", Secret: "KEY"}
	for _, c := range []struct {
		host   string
		inject []Injection
		field  string
	}{
		{"*", []Injection{ok}, "host"},
		{"a.example", []Injection{ok, {Secret: "KEY"}}, "inject/1/header"},
		{"a.example", []Injection{{Header: "a", Query: "b", Secret: "KEY"}}, "inject/0/header"},
		{"a.example", []Injection{{Header: "a b", Secret: "KEY"}}, "inject/0/header"},
		{"a.example", []Injection{{Header: "content-LENGTH", Secret: "KEY"}}, "inject/0/header"},
		{"a.example", []Injection{{Header: "Host", Secret: "KEY"}}, "inject/0/header"},
		{"a.example", []Injection{{Header: "proxy-authorization", Secret: "KEY"}}, "inject/0/header"},
		{"a.example", []Injection{ok, {Header: "x-key", Secret: "OTHER"}}, "inject/1/header"},
		{"a.example", []Injection{{Header: "X-Key"}}, "inject/0/secret"},
		{"a.example", []Injection{{Header: "X-Key", Secret: "KEY", Format: "Bearer"}}, "inject/0/format"},
		{"a.example", []Injection{{Header: "X-Key", Secret: "KEY", Format: "{}{}"}}, "inject/0/format"},
		{"a.example", []Injection{{Header: "X-Key", Secret: "KEY", Format: "a\r\nb: {}"}}, "inject/0/format"},
		{"a.example", slices.Repeat([]Injection{ok}, MaxInjections+1), "inject"},
	} {
		_, err := NewGuard(Config{}).Compile([]Rule{{Host: c.host, Inject: c.inject}})
		var typed *RuleError
		if !errors.As(err, &typed) || typed.Field != c.field {
			t.Errorf("%v: got %v", c.inject, err)
		} else if c.field == "inject/1/header" && !strings.HasPrefix(err.Error(), "network.allow[0].inject[1].header: ") {
			t.Errorf("the message: %v", err)
		}
	}
}

func TestApply(t *testing.T) {
	for _, c := range []struct {
		injection     Injection
		secret, query string
		header, url   string // wanted
		err           error
	}{
		{Injection{Header: "X-Key"}, "s", "a=1", "s", "a=1", nil},
		{Injection{Header: "X-Key", Format: "Bearer {}"}, "{}", "a=1", "Bearer {}", "a=1", nil},
		{Injection{Header: "X-Key"}, "a\nb", "", "guest's", "", ErrSecretValue},
		{Injection{Query: "key"}, "a&b=c d", "", "guest's", "key=a%26b%3Dc+d", nil},
		{Injection{Query: "key"}, "s", "x=%zz&key=1&k%65y=2&y;z&&", "guest's", "x=%zz&y;z&key=s", nil},
		{Injection{Query: "key", Format: "v {}"}, "s", "a", "guest's", "a&key=v+s", nil},
	} {
		h := http.Header{"X-Key": {"guest's"}}
		u := &url.URL{RawQuery: c.query, ForceQuery: true}
		err := c.injection.Apply(h, u, c.secret)
		if got := strings.Join(h["X-Key"], ","); got != c.header || u.RawQuery != c.url || !errors.Is(err, c.err) {
			t.Errorf("%+v: header %q, query %q, %v", c.injection, got, u.RawQuery, err)
		}
	}
}
