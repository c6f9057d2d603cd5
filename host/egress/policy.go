package egress

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A Rule opens the way to hosts.
type Rule struct {
	// Host is a name (example.com), all names below one (*.example.com), any
	// host (*), an address, or a block of addresses (10.0.0.0/8). An address
	// or a block opens URLs that name an address of it, not names that
	// resolve to one.
	Host    string
	Ports   []int    // nil: 80 and 443
	AnyPort bool     // in place of Ports
	Methods []string // nil: all
	// Inject is what is added to requests that the rule lets out, from secrets
	// that the guest never sees. Requests by http are then refused, unless
	// AllowHTTP is set: their headers are for everyone on the way to read.
	Inject    []Injection
	AllowHTTP bool
}

// MaxRules is how many rules a policy may have.
const MaxRules = 1000

// A RuleError names the rule and the field that Compile could not take.
type RuleError struct {
	Index int
	Field string // host, ports, methods, or inject/0/header and so on
	Err   error
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("network.allow[%d].%s: %v", e.Index, strings.NewReplacer("inject/", "inject[", "/", "].").Replace(e.Field), e.Err)
}

func (e *RuleError) Unwrap() error { return e.Err }

// A Policy judges URLs by the rules of one request. It is safe for concurrent
// use; the nil Policy refuses everything.
type Policy struct {
	guard *Guard
	rules []rule
}

type rule struct {
	host    string // as the request wrote it
	any     bool
	exact   string
	suffix  string // with its leading dot
	block   netip.Prefix
	ports   []uint16
	anyPort bool
	methods []string
	inject  []Injection
	http    bool // may inject into requests without TLS
}

// Compile makes a policy for URLs whose connections this guard will judge.
//
// # Errors
//
// A [*RuleError].
func (g *Guard) Compile(rules []Rule) (*Policy, error) {
	if len(rules) > MaxRules {
		return nil, fmt.Errorf("network.allow: more than %d rules", MaxRules)
	}
	p := &Policy{guard: g, rules: make([]rule, 0, len(rules))}
	for i, r := range rules {
		c := rule{host: r.Host, ports: []uint16{80, 443}, anyPort: r.AnyPort}
		if err := c.compileHost(r.Host); err != nil {
			return nil, &RuleError{i, "host", err}
		}
		if r.Ports != nil {
			c.ports = nil
		}
		for _, port := range r.Ports {
			if port < 1 || port > 65535 {
				return nil, &RuleError{i, "ports", fmt.Errorf("%d is not a port", port)}
			}
			c.ports = append(c.ports, uint16(port))
		}
		for _, method := range r.Methods {
			if !isToken(method) {
				return nil, &RuleError{i, "methods", fmt.Errorf("%q is not a method", method)}
			}
			c.methods = append(c.methods, strings.ToUpper(method))
		}
		if field, err := c.compileInject(r); err != nil {
			return nil, &RuleError{i, field, err}
		}
		p.rules = append(p.rules, c)
	}
	return p, nil
}

func (c *rule) compileHost(host string) error {
	switch {
	case host == "":
		return errors.New("is empty")
	case host == "*":
		c.any = true
		return nil
	case strings.Contains(host, "://"):
		return errors.New("is a URL: write the host alone, as example.com")
	}
	if block, err := netip.ParsePrefix(host); err == nil {
		if block.Addr().Is4In6() {
			return errors.New("is an IPv4-mapped block: write it as IPv4")
		}
		c.block = block.Masked()
		return nil
	}
	if strings.ContainsAny(host, "/\\") {
		return errors.New("is not a block of addresses, and a host has no path")
	}
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		c.block = netip.PrefixFrom(addr, addr.BitLen())
		return nil
	}
	name, below := strings.CutPrefix(host, "*.")
	switch {
	case strings.Contains(name, "*"):
		return errors.New("may have a star alone or as the first label, as *.example.com")
	case strings.Contains(name, ":"):
		return errors.New("has a port: write it in ports")
	}
	ascii, addr, err := parseHost(name)
	if err != nil {
		return err
	}
	switch {
	case addr.IsValid() && below:
		return errors.New("has a star before an address: write a block, as 10.0.0.0/8")
	case addr.IsValid():
		c.block = netip.PrefixFrom(addr, addr.BitLen())
	case below:
		c.suffix = "." + ascii
	default:
		c.exact = ascii
	}
	return nil
}

func (c *rule) matchesHost(name string, addr netip.Addr) bool {
	switch {
	case c.any:
		return true
	case addr.IsValid():
		return c.block.IsValid() && c.block.Contains(addr)
	case c.exact != "":
		return name == c.exact
	case c.suffix != "":
		return strings.HasSuffix(name, c.suffix)
	}
	return false
}

// Check judges a request before anything of it leaves: by the first rule that
// matches host, port and method. The URL should come from [ParseURL].
//
// # Errors
//
// A [*Refusal], or an error that unwraps to [ErrURL].
func (p *Policy) Check(method string, u *url.URL) error {
	_, err := p.check(method, ofRequest, u)
	return err
}

// Admit judges a request as Check does, and says what is to be added to it
// before it leaves. That holds for this hop alone.
func (p *Policy) Admit(method string, u *url.URL) ([]Injection, error) {
	return p.check(method, ofRequest, u)
}

// CheckHost judges a URL's host and port alone, before its request is known: by
// whether there is any request that Check would allow to go there.
//
// # Errors
//
// As of Check.
func (p *Policy) CheckHost(u *url.URL) error {
	_, err := p.check("", ofHost, u)
	return err
}

// CheckConnection judges a connection over TCP, by the URL's host and port: by the
// first rule that matches both. What goes through one can't be judged, so a rule
// with methods opens none; and port 25 is opened by rules that name it alone.
//
// # Errors
//
// As of Check.
func (p *Policy) CheckConnection(u *url.URL) error {
	_, err := p.check("", ofConnection, u)
	return err
}

// What a rule is asked.
const (
	ofRequest    = iota // may a request of this method go there
	ofHost              // may any
	ofConnection        // may a connection, whatever goes through it
)

// mailPort is where mail servers take mail of anybody (RFC 5321 4.5.4.2).
const mailPort = 25

func (p *Policy) check(method string, what int, u *url.URL) ([]Injection, error) {
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, &URLError{u.Redacted(), "the scheme is not http or https"}
	}
	name, addr, err := parseHost(u.Hostname())
	if err != nil {
		return nil, &URLError{u.Redacted(), err.Error()}
	}
	port := uint16(80)
	if u.Scheme == "https" {
		port = 443
	}
	if s := u.Port(); s != "" {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return nil, &URLError{u.Redacted(), "the port is out of range"}
		}
		port = uint16(n)
	}
	shown := name
	if addr.IsValid() {
		shown = addr.String()
	}
	refuse := func(reason, hint string) error {
		return &Refusal{Host: shown, Port: port, Reason: reason, Hint: hint}
	}
	if p == nil || len(p.rules) == 0 {
		return nil, refuse("the request opens no network", "add "+hintRule(shown, port)+" to network.allow")
	}
	var byHost, byPort *rule
	named := what == ofConnection && port == mailPort
	for i := range p.rules {
		r := &p.rules[i]
		if !r.matchesHost(name, addr.Unmap()) {
			continue
		}
		byHost = r
		if (!r.anyPort || named) && !slices.Contains(r.ports, port) {
			continue
		}
		byPort = r
		if r.methods != nil && what != ofHost && !slices.Contains(r.methods, method) {
			continue
		}
		// The rules allow it. The dialer will judge the address; what the URL
		// says of it already can be answered sooner.
		if addr.IsValid() {
			if kind := p.guard.refusal(addr); kind != "" {
				return nil, addressRefusal(shown, port, kind)
			}
		}
		if what == ofConnection {
			return nil, nil // what rules add to requests is added to those of fetch
		}
		if len(r.inject) > 0 && u.Scheme == "http" && !r.http {
			return nil, refuse("the rule adds a secret, which the URL would send in the clear",
				fmt.Sprintf("use https, or set allow_http in the rule for %s in network.allow", r.host))
		}
		return r.inject, nil
	}
	switch {
	case byPort != nil && what == ofConnection:
		return nil, refuse("the rule has methods, so it opens HTTP alone",
			fmt.Sprintf("add a rule for %s without methods to network.allow", byPort.host))
	case byPort != nil:
		return nil, refuse("no rule for this host has the method "+method,
			fmt.Sprintf("add %q to methods of the rule for %s in network.allow", method, byPort.host))
	case byHost != nil:
		return nil, refuse("no rule for this host has the port",
			fmt.Sprintf("add %d to ports of the rule for %s in network.allow (without ports a rule means 80 and 443)", port, byHost.host))
	}
	return nil, refuse("no rule matches the host", "add "+hintRule(shown, port)+" to network.allow")
}

// hintRule is the rule that would open a host, as JSON.
func hintRule(host string, port uint16) string {
	name, _ := json.Marshal(host)
	if port == 80 || port == 443 {
		return fmt.Sprintf(`{"host": %s}`, name)
	}
	return fmt.Sprintf(`{"host": %s, "ports": [%d]}`, name, port)
}

// isToken tells whether a string is a token (RFC 9110 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}
