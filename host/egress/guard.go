// Package egress decides which hosts a guest may reach.
//
// There are two gates, and a connection passes both. A [Policy] is made of the
// rules of one request and judges each URL, redirects included, before a name is
// looked up. The [Guard] is the server's: it judges the address that is about to
// be connected to, inside the dialer, so that what a name resolves to when it is
// dialled is what was checked, whatever any rule says.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Config is the server's own word on addresses. The zero value lets guests reach
// the public internet only.
type Config struct {
	// AllowPrivate are blocks that guests may reach, although they are not
	// public: a request's rules still have to name the host.
	AllowPrivate []netip.Prefix
	// Refuse are blocks that guests may not reach, although they are public,
	// such as LocalAddresses. AllowPrivate has the last word.
	Refuse []netip.Prefix
	// ConnectTimeout bounds a name's lookup and all attempts to connect;
	// default 10 s.
	ConnectTimeout time.Duration
	// Resolver looks names up; default net.DefaultResolver.
	Resolver *net.Resolver
}

// A Guard is the gate at the dialer. It is safe for concurrent use.
type Guard struct {
	allow, refuse []netip.Prefix
	dialer        net.Dialer
}

// NewGuard makes a guard.
func NewGuard(config Config) *Guard {
	timeout := config.ConnectTimeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	return &Guard{
		allow:  canonicalPrefixes(config.AllowPrivate),
		refuse: canonicalPrefixes(config.Refuse),
		dialer: net.Dialer{Timeout: timeout, Resolver: config.Resolver},
	}
}

func canonicalPrefixes(prefixes []netip.Prefix) []netip.Prefix {
	list := make([]netip.Prefix, 0, len(prefixes))
	for _, p := range prefixes {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		list = append(list, p.Masked())
	}
	return list
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// refusal says why an address may not be reached, or nothing.
func (g *Guard) refusal(addr netip.Addr) string {
	if addr.Zone() == "" && contains(g.allow, canonical(addr)) {
		return ""
	}
	if kind := Kind(addr); kind != "" {
		return kind
	}
	if contains(g.refuse, canonical(addr)) {
		return "refused"
	}
	return ""
}

// Allows reports whether a guest may be connected to an address.
func (g *Guard) Allows(addr netip.Addr) bool { return g.refusal(addr) == "" }

// DialContext connects to a host and port over TCP, as the dialer of an
// http.Transport. Every address is judged in the moment before it is connected
// to. It uses no proxy.
//
// # Errors
//
// A [*Refusal] if no address could be connected to and the first was refused;
// else what net.Dialer gives.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := g.dialer
	dialer.ControlContext = func(_ context.Context, network, connecting string, _ syscall.RawConn) error {
		if network != "tcp4" && network != "tcp6" {
			return fmt.Errorf("egress over %s", network)
		}
		to, err := netip.ParseAddrPort(connecting)
		if err != nil {
			return err
		}
		if kind := g.refusal(to.Addr()); kind != "" {
			return addressRefusal(host, to.Port(), kind)
		}
		return nil
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		var refusal *Refusal
		if errors.As(err, &refusal) {
			return nil, refusal
		}
		return nil, err
	}
	return conn, nil
}

// LocalAddresses are the addresses of this machine's interfaces now, for
// Config.Refuse: a service that listens on all of them is not the internet's,
// even where an address is public.
func LocalAddresses() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var list []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addr := p.Addr().Unmap().WithZone("")
			list = append(list, netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	return list, nil
}

// ErrRefused is what every Refusal unwraps to.
var ErrRefused = errors.New("egress is not allowed")

// A Refusal is why a guest may not reach a host. Its text is meant for whoever
// wrote the request: it says what to change, and nothing of the network that the
// guest did not say itself.
type Refusal struct {
	Host   string // as the guest asked for it
	Port   uint16
	Reason string // a clause, without a full stop
	Hint   string // a clause that says what to change; may be empty
}

func (r *Refusal) Error() string {
	s := fmt.Sprintf("egress to %s is not allowed by the network policy: %s",
		net.JoinHostPort(r.Host, fmt.Sprint(r.Port)), r.Reason)
	if r.Hint != "" {
		s += "; " + r.Hint
	}
	return s
}

func (r *Refusal) Unwrap() error { return ErrRefused }

func addressRefusal(host string, port uint16, kind string) *Refusal {
	reason := "the name leads to an address that is not on the public internet"
	if _, err := netip.ParseAddr(host); err == nil {
		reason = "the address is not on the public internet (" + kind + ")"
	}
	return &Refusal{
		Host: host, Port: port, Reason: reason,
		Hint: "rules of a request can't open such addresses, only the server's configuration can",
	}
}
