package egress

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// ErrURL is what every URLError unwraps to.
var ErrURL = errors.New("invalid URL")

// A URLError is why a URL can't be fetched.
type URLError struct {
	URL    string
	Reason string
}

func (e *URLError) Error() string { return "invalid URL " + strconv.Quote(e.URL) + ": " + e.Reason }
func (e *URLError) Unwrap() error { return ErrURL }

// MaxURL is the length of a URL in bytes beyond which it is refused.
const MaxURL = 64 << 10

// ParseURL reads an absolute http or https URL, or one relative to base if that
// is not nil, as the URL standard does (whatwg url, 4.4): white space, slashes
// and backslashes, user names, hosts and ports are understood as a browser
// understands them, so that all spellings of a host end in one. The URL that is
// returned has no user name, no default port, and a host in lower-case ASCII or
// an address in its shortest form, without a dot at the end.
//
// Unlike a browser's, it refuses URLs with a user name or a password, and names
// of other characters than letters, digits, hyphens and underscores.
//
// # Errors
//
// A [*URLError].
func ParseURL(raw string, base *url.URL) (*url.URL, error) {
	if len(raw) > MaxURL {
		return nil, &URLError{raw[:64] + "…", "it is longer than 64 KiB"}
	}
	fail := func(reason string) (*url.URL, error) { return nil, &URLError{raw, reason} }
	s := strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' })
	s = withoutBreaks.Replace(s)
	s, fragment, hasFragment := strings.Cut(s, "#")

	scheme, rest, absolute := cutScheme(s)
	switch {
	case absolute && scheme != "http" && scheme != "https":
		return fail("the scheme is not http or https")
	case absolute && base != nil && base.Scheme == scheme && !startsWithSlash(rest):
		s, absolute = rest, false // http:path, relative to a URL of the same scheme
	case absolute:
		rest = strings.TrimLeft(rest, `/\`)
	case base == nil:
		return fail("it is relative, and there is nothing for it to be relative to")
	case len(s) >= 2 && startsWithSlash(s) && startsWithSlash(s[1:]):
		scheme, rest, absolute = base.Scheme, strings.TrimLeft(s, `/\`), true
	}

	authority := ""
	if absolute {
		end := strings.IndexAny(rest, `/\?`)
		if end < 0 {
			end = len(rest)
		}
		authority, s = rest[:end], rest[end:]
	}
	path, query, hasQuery := strings.Cut(s, "?")
	reference := encode(strings.ReplaceAll(path, `\`, "/"), "\"<>`{}^")
	if absolute && !strings.HasPrefix(reference, "/") {
		reference = "/" + reference
	}
	// A colon in the first segment of a relative path is no scheme here.
	u := &url.URL{}
	if err := setPath(u, reference); err != nil {
		return fail("the path can't be read")
	}
	u.RawQuery, u.ForceQuery = encode(query, "\"<>'"), hasQuery && query == ""
	if absolute {
		host, err := parseAuthority(scheme, authority)
		if err != nil {
			return fail(err.Error())
		}
		u.Scheme, u.Host = scheme, host
		u = (&url.URL{}).ResolveReference(u) // takes dot segments out
	} else {
		u = base.ResolveReference(u)
		u.Fragment, u.RawFragment = "", ""
	}
	if u.Path == "" {
		u.Path = "/"
	}
	if hasFragment {
		u.RawFragment = encode(fragment, "\"<>`")
		u.Fragment, _ = url.PathUnescape(u.RawFragment) // no escape is left broken
	}
	return u, nil
}

var withoutBreaks = strings.NewReplacer("\t", "", "\n", "", "\r", "")

func setPath(u *url.URL, escaped string) error {
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return err
	}
	u.Path = path
	if u.EscapedPath() != escaped {
		u.RawPath = escaped
	}
	return nil
}

func startsWithSlash(s string) bool { return s != "" && (s[0] == '/' || s[0] == '\\') }

// cutScheme takes a scheme off, in lower case.
func cutScheme(s string) (scheme, rest string, ok bool) {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		case i > 0 && c == ':':
			return strings.ToLower(s[:i]), s[i+1:], true
		default:
			return "", s, false
		}
	}
	return "", s, false
}

// encode percent-encodes controls, spaces, what is not ASCII, and the characters
// of set. A percent sign that starts no escape becomes one.
func encode(s, set string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		lone := c == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]))
		if c <= ' ' || c >= 0x7f || lone || strings.IndexByte(set, c) >= 0 {
			const digits = "0123456789ABCDEF"
			b.WriteString(string([]byte{'%', digits[c>>4], digits[c&15]}))
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// parseAuthority gives the host of a URL as net/url writes it, with a port that
// is not the scheme's own.
func parseAuthority(scheme, authority string) (string, error) {
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if strings.Trim(authority[:at], ":") != "" {
			return "", errors.New("it has a user name or a password: send an Authorization header instead")
		}
		authority = authority[at+1:]
	}
	host, port := authority, ""
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		host, port = authority[:colon], authority[colon+1:]
	}
	number := 0
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' {
			return "", errors.New("the port is not a number")
		}
		if number = number*10 + int(port[i]-'0'); number > 65535 {
			return "", errors.New("the port is out of range")
		}
	}
	if port != "" && number == 0 {
		return "", errors.New("the port is out of range")
	}
	name, addr, err := parseHost(host)
	if err != nil {
		return "", err
	}
	if addr.IsValid() {
		name = addr.String()
		if addr.Is6() {
			name = "[" + name + "]"
		}
	}
	if port == "" || scheme == "http" && number == 80 || scheme == "https" && number == 443 {
		return name, nil
	}
	return name + ":" + strconv.Itoa(number), nil
}

// lookup maps names as the URL standard does (UTS 46, not transitional, without
// the checks that the standard turns off).
var lookup = idna.New(
	idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false),
	idna.CheckHyphens(false), idna.CheckJoiners(true), idna.VerifyDNSLength(false),
)

// maxHost is how many bytes of a host are looked at: punycode takes time that
// grows with the square, and a name has 253 characters in the end.
const maxHost = 2048

// parseHost reads a host (whatwg url, 3.5) as a name in ASCII or as an address.
func parseHost(host string) (string, netip.Addr, error) {
	none := netip.Addr{}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", none, errors.New("the host is not an IPv6 address")
		}
		return "", addr, nil
	}
	if strings.Contains(host, ":") { // as net/url gives it, without brackets
		addr, err := netip.ParseAddr(host)
		if err != nil || addr.Zone() != "" {
			return "", none, errors.New("the host is not an IPv6 address")
		}
		return "", addr, nil
	}
	if len(host) > maxHost {
		return "", none, errors.New("the host is too long")
	}
	ascii := strings.ToLower(host)
	if !isPlain(ascii) {
		// The standard decodes escapes, and takes a sign that starts none as
		// it is, to be refused below.
		decoded, err := url.PathUnescape(encode(host, ""))
		if err != nil || !utf8.ValidString(decoded) {
			return "", none, errors.New("the host is not a name")
		}
		if ascii, err = lookup.ToASCII(decoded); err != nil {
			return "", none, errors.New("the host is not a name")
		}
		if ascii = strings.ToLower(ascii); strings.Trim(ascii, hostCharacters) != "" {
			return "", none, errors.New("the host has a character that no host name has")
		}
	}
	ascii = strings.TrimSuffix(ascii, ".")
	if ascii == "" {
		return "", none, errors.New("the host is missing")
	}
	last := ascii[strings.LastIndexByte(ascii, '.')+1:]
	if _, ok := parseNumber(last); ok || isDigits(last) {
		addr, ok := parseIPv4(ascii)
		if !ok {
			return "", none, errors.New("the host is not an IPv4 address")
		}
		return "", addr, nil
	}
	if len(ascii) > 253 {
		return "", none, errors.New("the host is too long")
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if label == "" || len(label) > 63 {
			return "", none, errors.New("a label of the host is empty or too long")
		}
	}
	return ascii, none, nil
}

// hostCharacters are those of host names, and the underscore of other DNS names.
const hostCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-_."

// isPlain tells the hosts that mapping would leave as they are: nearly all.
func isPlain(host string) bool {
	return strings.Trim(host, hostCharacters) == "" && !strings.Contains(host, "xn--")
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// parseNumber reads a part of an IPv4 address: decimal, octal after 0,
// hexadecimal after 0x (whatwg url, IPv4 number parser).
func parseNumber(s string) (uint64, bool) {
	base := 10
	switch {
	case len(s) >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'):
		s, base = s[2:], 16
		if s == "" {
			return 0, true
		}
	case len(s) >= 2 && s[0] == '0':
		s, base = s[1:], 8
	}
	if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
		return 0, false
	}
	n, err := strconv.ParseUint(s, base, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 1 << 63, true // a number, and too large for any address
	}
	return n, err == nil
}

// parseIPv4 reads the one to four parts of an IPv4 address, the last of which
// fills what the others leave (whatwg url, IPv4 parser).
func parseIPv4(s string) (netip.Addr, bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var address uint64
	for i, part := range parts {
		n, ok := parseNumber(part)
		if !ok || part == "" {
			return netip.Addr{}, false
		}
		if i < len(parts)-1 {
			if n > 255 {
				return netip.Addr{}, false
			}
			address |= n << (8 * (3 - i))
			continue
		}
		if n >= 1<<(8*(5-len(parts))) {
			return netip.Addr{}, false
		}
		address |= n
	}
	return netip.AddrFrom4([4]byte{byte(address >> 24), byte(address >> 16), byte(address >> 8), byte(address)}), true
}
