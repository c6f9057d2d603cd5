package egress

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"mayfly/host/egress/egresstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestKind(t *testing.T) {
	public := []string{
		"1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"2606:4700::1111", "2a00:1450:4001::1", "2001:200::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
	}
	for _, s := range public {
		if kind := Kind(netip.MustParseAddr(s)); kind != "" {
			t.Errorf("%s is taken for %s", s, kind)
		}
	}
	special := map[string]string{
		"0.0.0.0": "unspecified", "0.1.2.3": "unspecified", "10.0.0.1": "private", "10.255.255.255": "private", "100.64.0.1": "carrier-grade NAT", "100.100.100.200": "carrier-grade NAT",
		"127.0.0.1": "loopback", "127.255.255.254": "loopback", "169.254.1.1": "link-local", "169.254.169.254": "metadata service", "168.63.129.16": "metadata service",
		"172.16.0.1": "private", "172.31.255.255": "private", "192.0.0.192": "protocol assignment", "192.0.2.1": "documentation", "192.168.1.1": "private", "198.18.0.1": "benchmarking",
		"198.19.255.255": "benchmarking", "198.51.100.1": "documentation", "203.0.113.1": "documentation", "224.0.0.1": "multicast", "239.255.255.255": "multicast",
		"240.0.0.1": "reserved", "255.255.255.255": "broadcast",
		"::": "unspecified", "::1": "loopback", "::7f00:1": "IPv4-compatible", "::8.8.8.8": "IPv4-compatible", "::ffff:127.0.0.1": "loopback", "::ffff:10.0.0.1": "private", "::ffff:169.254.169.254": "metadata service",
		"::ffff:0:127.0.0.1": "reserved", "64:ff9b::127.0.0.1": "loopback", "64:ff9b::10.1.2.3": "private", "64:ff9b::a9fe:a9fe": "metadata service", "64:ff9b:1::8.8.8.8": "local NAT64",
		"100::1": "discard-only", "fc00::1": "unique local", "fd12::1": "unique local", "fd00:ec2::254": "metadata service", "fd20:ce::254": "metadata service", "fe80::1": "link-local", "fe80::1%eth0": "scoped", "fec0::1": "site-local",
		"ff02::1": "multicast", "2001::1": "Teredo", "2001:0:4136:e378:8000:63bf:3fff:fdd2": "Teredo", "2001:2::1": "benchmarking", "2001:10::1": "protocol assignment", "2001:db8::1": "documentation",
		"2002:7f00:1::": "6to4", "2002:808:808::": "6to4", "3fff::1": "documentation", "4000::1": "reserved", "5f00::1": "reserved",
	}
	for s, want := range special {
		if kind := Kind(netip.MustParseAddr(s)); kind != want {
			t.Errorf("%s is taken for %q, not %q", s, kind, want)
		}
	}
	if Kind(netip.Addr{}) == "" {
		t.Error("no address is taken for a public one")
	}
}

func TestGuardConfig(t *testing.T) {
	g := NewGuard(Config{
		AllowPrivate: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::ffff:10.2.0.0/112"), netip.MustParsePrefix("8.8.4.4/32")},
		Refuse:       []netip.Prefix{netip.MustParsePrefix("8.8.0.0/16")},
	})
	for s, want := range map[string]bool{
		"10.1.2.3": true, "10.2.2.3": true, "10.3.2.3": false, "::ffff:10.1.2.3": true, "64:ff9b::10.1.2.3": true, "64:ff9b::10.3.2.3": false,
		"8.8.8.8": false, "8.8.4.4": true, "::ffff:8.8.8.8": false, "1.1.1.1": true, "127.0.0.1": false,
	} {
		if got := g.Allows(netip.MustParseAddr(s)); got != want {
			t.Errorf("%s: got %v", s, got)
		}
	}
}

func listen(t *testing.T) (port string, accepted *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port, accepted
}

func TestDialerJudgesTheAddressThatIsDialled(t *testing.T) {
	port, accepted := listen(t)
	loopback := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	resolver := egresstest.Resolver(func(int, string) []netip.Addr { return loopback })

	closed := NewGuard(Config{Resolver: resolver})
	for _, host := range []string{"127.0.0.1", "name.example", "localhost", "localhost.", "::ffff:127.0.0.1", "::ffff:7f00:1", "0.0.0.0", "::"} {
		conn, err := closed.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if conn != nil {
			conn.Close()
		}
		var refusal *Refusal
		if !errors.As(err, &refusal) || !errors.Is(err, ErrRefused) {
			t.Errorf("%s: got %v", host, err)
		}
	}
	if n := accepted.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}

	open := NewGuard(Config{Resolver: resolver, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	for _, host := range []string{"127.0.0.1", "name.example"} {
		conn, err := open.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		conn.Close()
	}
}

// A name that was public when it was first looked up, and is local afterwards,
// gains nothing: there is no earlier check whose answer could be kept.
func TestRebinding(t *testing.T) {
	port, accepted := listen(t)
	guard := NewGuard(Config{
		AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")},
		Resolver: egresstest.Resolver(func(n int, _ string) []netip.Addr {
			if n == 0 {
				return []netip.Addr{netip.MustParseAddr("127.0.0.2")}
			}
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		}),
	})
	address := net.JoinHostPort("rebind.example", port)
	if _, err := guard.DialContext(t.Context(), "tcp", address); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("the first answer should have been dialled and not answered: %v", err)
	}
	_, err := guard.DialContext(t.Context(), "tcp", address)
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "127.0.0") {
		t.Errorf("the text tells what a name leads to: %v", err)
	}
	if n := accepted.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// Of several addresses, the ones that are not allowed are passed over.
func TestMixedAnswers(t *testing.T) {
	port, _ := listen(t)
	guard := NewGuard(Config{
		AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Resolver: egresstest.Resolver(func(int, string) []netip.Addr {
			return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("127.0.0.1")}
		}),
	})
	conn, err := guard.DialContext(t.Context(), "tcp", net.JoinHostPort("mixed.example", port))
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.RemoteAddr().(*net.TCPAddr).IP.String(); got != "127.0.0.1" {
		t.Errorf("connected to %s", got)
	}
	conn.Close()
}

func TestLocalAddresses(t *testing.T) {
	local, err := LocalAddresses()
	if err != nil {
		t.Fatal(err)
	}
	if !contains(local, netip.MustParseAddr("127.0.0.1")) || contains(local, netip.MustParseAddr("127.0.0.2")) {
		t.Errorf("got %v", local)
	}
}
