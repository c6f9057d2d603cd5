package egress

import "net/netip"

// special are the blocks that are not globally reachable, from the IANA special
// purpose address registries (RFC 6890, as updated) and the registries of
// multicast and reserved space, and addresses of the public space that are
// local by use. What lies in more than one block is named by the first.
var special = []struct {
	prefix netip.Prefix
	kind   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},               // RFC 791 3.2: reaches this host on Linux
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},                  // RFC 1918
	{netip.MustParsePrefix("100.64.0.0/10"), "carrier-grade NAT"},     // RFC 6598
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},                // RFC 1122 3.2.1.3
	{netip.MustParsePrefix("169.254.169.254/32"), "metadata service"}, // of most clouds
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},           // RFC 3927
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},               // RFC 1918
	{netip.MustParsePrefix("168.63.129.16/32"), "metadata service"},   // Azure's host, in public space
	{netip.MustParsePrefix("192.0.0.0/24"), "protocol assignment"},    // RFC 6890 2.1
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"},          // RFC 5737
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relay"},           // RFC 7526
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},              // RFC 1918
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking"},          // RFC 2544
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},       // RFC 5737
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},        // RFC 5737
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},               // RFC 5771
	{netip.MustParsePrefix("255.255.255.255/32"), "broadcast"},        // RFC 919
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},                // RFC 1112 4
	{netip.MustParsePrefix("::/128"), "unspecified"},                  // RFC 4291
	{netip.MustParsePrefix("::1/128"), "loopback"},                    // RFC 4291
	{netip.MustParsePrefix("::/96"), "IPv4-compatible"},               // RFC 4291 2.5.5.1, deprecated
	{netip.MustParsePrefix("64:ff9b:1::/48"), "local NAT64"},          // RFC 8215
	{netip.MustParsePrefix("100::/64"), "discard-only"},               // RFC 6666
	{netip.MustParsePrefix("fd00:ec2::254/128"), "metadata service"},  // AWS
	{netip.MustParsePrefix("fd20:ce::254/128"), "metadata service"},   // Google Cloud
	{netip.MustParsePrefix("fc00::/7"), "unique local"},               // RFC 4193
	{netip.MustParsePrefix("fe80::/10"), "link-local"},                // RFC 4291
	{netip.MustParsePrefix("fec0::/10"), "site-local"},                // RFC 3879, deprecated
	{netip.MustParsePrefix("ff00::/8"), "multicast"},                  // RFC 4291
	{netip.MustParsePrefix("2001::/32"), "Teredo"},                    // RFC 4380: carries an IPv4 address
	{netip.MustParsePrefix("2001:2::/48"), "benchmarking"},            // RFC 5180
	{netip.MustParsePrefix("2001::/23"), "protocol assignment"},       // RFC 2928
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"},         // RFC 3849
	{netip.MustParsePrefix("2002::/16"), "6to4"},                      // RFC 3056: carries an IPv4 address
	{netip.MustParsePrefix("3fff::/20"), "documentation"},             // RFC 9637
}

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")     // RFC 4291 2.4: all that IANA gives out
	nat64         = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052 2.1
)

// canonical is the address that an IPv4-mapped or NAT64 address leads to; any
// other is itself.
func canonical(addr netip.Addr) netip.Addr {
	addr = addr.Unmap()
	if nat64.Contains(addr) {
		b := addr.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return addr
}

// Kind names what an address is for, as "private" or "loopback". It is empty for
// an address of the public internet.
func Kind(addr netip.Addr) string {
	if !addr.IsValid() {
		return "invalid"
	}
	if addr.Zone() != "" {
		return "scoped"
	}
	addr = canonical(addr)
	for _, s := range special {
		if s.prefix.Contains(addr) {
			return s.kind
		}
	}
	if addr.Is6() && !globalUnicast.Contains(addr) {
		return "reserved"
	}
	return ""
}
