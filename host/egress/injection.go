package egress

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// An Injection adds a secret to a request. The policy knows the secret's name;
// its value is looked up when a request leaves.
type Injection struct {
	Header string // name of a header, whose value is replaced; empty: Query
	Query  string // name of a query parameter, whose values are replaced; empty: Header
	Secret string // the secret's name
	Format string // the value, with {} where the secret belongs; empty: {}
}

// MaxInjections is how many injections a rule may have.
const MaxInjections = 20

// secretPlace is where a format has the secret.
const secretPlace = "{}"

// value is what is sent.
func (i *Injection) value(secret string) string {
	if i.Format == "" {
		return secret
	}
	return strings.Replace(i.Format, secretPlace, secret, 1)
}

// ErrSecretValue is a secret that can't be what it is injected as.
var ErrSecretValue = errors.New("the secret has a character that no header may have")

// Apply adds the secret to a request that is about to leave: to its header, or
// to its URL, which it must have for itself.
func (i *Injection) Apply(h http.Header, u *url.URL, secret string) error {
	if i.Header != "" {
		value := i.value(secret)
		if !httpguts.ValidHeaderFieldValue(value) {
			return ErrSecretValue
		}
		h.Set(i.Header, value)
		return nil
	}
	// The rest of the query stays as it was written.
	var kept []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, _ := strings.Cut(part, "=")
		if unescaped, err := url.QueryUnescape(name); part != "" && (err != nil || unescaped != i.Query) {
			kept = append(kept, part)
		}
	}
	kept = append(kept, url.QueryEscape(i.Query)+"="+url.QueryEscape(i.value(secret)))
	u.RawQuery, u.ForceQuery = strings.Join(kept, "&"), false
	return nil
}

// transportOwned are headers that belong to the connection.
var transportOwned = map[string]bool{
	"Connection": true, "Content-Length": true, "Expect": true, "Host": true, "Keep-Alive": true, "Te": true, "Trailer": true,
	"Transfer-Encoding": true, "Upgrade": true,
}

// compileInject checks a rule's injections; field is the one at fault.
func (c *rule) compileInject(r Rule) (field string, err error) {
	if len(r.Inject) == 0 {
		return "", nil
	}
	if c.any {
		return "host", errors.New("is any host, to which no secret may go: name the hosts that inject is for")
	}
	if len(r.Inject) > MaxInjections {
		return "inject", fmt.Errorf("has more than %d entries", MaxInjections)
	}
	for n, i := range r.Inject {
		at := func(field string) string { return fmt.Sprintf("inject/%d/%s", n, field) }
		switch {
		case (i.Header == "") == (i.Query == ""):
			return at("header"), errors.New("expected either header or query: where the secret goes")
		case i.Header != "" && !httpguts.ValidHeaderFieldName(i.Header):
			return at("header"), fmt.Errorf("%q is not a header name", i.Header)
		case transportOwned[http.CanonicalHeaderKey(i.Header)] || strings.HasPrefix(http.CanonicalHeaderKey(i.Header), "Proxy-"):
			return at("header"), fmt.Errorf("%s belongs to the connection", i.Header)
		case i.Secret == "":
			return at("secret"), errors.New("expected the name of a secret")
		case i.Format != "" && strings.Count(i.Format, secretPlace) != 1:
			return at("format"), errors.New("expected {} once, where the secret belongs, as in Bearer {}")
		case i.Header != "" && !httpguts.ValidHeaderFieldValue(i.Format):
			return at("format"), errors.New("has a character that no header may have")
		}
		for _, earlier := range r.Inject[:n] {
			if i.Header != "" && strings.EqualFold(i.Header, earlier.Header) || i.Query != "" && i.Query == earlier.Query {
				return at("header"), errors.New("is there already")
			}
		}
	}
	c.inject, c.http = r.Inject, r.AllowHTTP
	return "", nil
}

// Injects lists the secrets that a policy may add to requests, without repeats.
func (p *Policy) Injects() (secrets []string) {
	if p == nil {
		return nil
	}
	seen := map[string]bool{}
	for _, r := range p.rules {
		for _, i := range r.inject {
			if !seen[i.Secret] {
				seen[i.Secret] = true
				secrets = append(secrets, i.Secret)
			}
		}
	}
	return secrets
}
