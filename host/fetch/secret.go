package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mayfly/host/egress"
)

// inject adds to a request what the policy says, and answers the secrets that it
// now has. The request's header is its own; its URL becomes so.
func (s *Session) inject(ctx context.Context, h *http.Request, injections []egress.Injection) (hidden []string, err error) {
	if len(injections) == 0 {
		return nil, nil
	}
	u := *h.URL
	h.URL = &u
	for i := range injections {
		in := &injections[i]
		if s.options.Secret == nil {
			return nil, typeError("fetch failed: the rule for this host adds the secret %s, and there are no secrets here", in.Secret)
		}
		value, err := s.options.Secret(ctx, in.Secret)
		if err == nil {
			err = in.Apply(h.Header, h.URL, value)
		}
		if err != nil {
			return nil, typeError("fetch failed: the rule for this host adds the secret %s: %v", in.Secret, err)
		}
		hidden = append(hidden, value)
	}
	return hidden, nil
}

// minHidden is the length in bytes from which a secret is blotted out of
// responses: shorter ones would be found in anything.
const minHidden = 6

// hide blots secrets out of a response: servers that show what they were sent
// are common, and the guest may choose the path. Each becomes stars of its
// length, so that lengths stay true. A server that shows it in disguise is
// believed not to: it was trusted with the secret.
func hide(response *http.Response, secrets []string) {
	var needles [][]byte
	add := func(needle string) {
		if len(needle) >= minHidden && !slices.ContainsFunc(needles, func(n []byte) bool { return string(n) == needle }) {
			needles = append(needles, []byte(needle))
		}
	}
	for _, secret := range secrets {
		add(secret)
		add(url.QueryEscape(secret))
		add(url.PathEscape(secret))
		for _, html := range []bool{false, true} {
			var quoted bytes.Buffer
			encoder := json.NewEncoder(&quoted)
			encoder.SetEscapeHTML(html)
			if encoder.Encode(secret) == nil {
				add(quoted.String()[1 : quoted.Len()-2]) // between quotes, and a newline
			}
		}
	}
	if len(needles) == 0 {
		return
	}
	slices.SortFunc(needles, func(a, b []byte) int { return len(b) - len(a) }) // the longest first
	blot := func(text string) string {
		for _, n := range needles {
			text = strings.ReplaceAll(text, string(n), strings.Repeat("*", len(n)))
		}
		return text
	}
	response.Status = blot(response.Status)
	header := make(http.Header, len(response.Header))
	for name, values := range response.Header {
		for _, value := range values {
			name := blot(name)
			header[name] = append(header[name], blot(value))
		}
	}
	response.Header = header
	if response.StatusCode != http.StatusSwitchingProtocols {
		response.Body = &blotter{source: response.Body, needles: needles}
	}
}

// A blotter is a body without secrets. It holds back no more than may be the
// beginning of one.
type blotter struct {
	source  io.ReadCloser
	needles [][]byte
	buffer  []byte // read, and not yet given out
	clean   int    // bytes of it that can be
	err     error  // of source
}

const blotterRead = 16 << 10

func (b *blotter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for b.clean == 0 {
		if b.err != nil {
			if b.clean = len(b.buffer); b.clean == 0 {
				return 0, b.err
			}
			break
		}
		b.fill()
	}
	n := copy(p, b.buffer[:b.clean])
	b.clean -= n
	b.buffer = b.buffer[:copy(b.buffer, b.buffer[n:])]
	return n, nil
}

func (b *blotter) fill() {
	held := len(b.buffer)
	b.buffer = slices.Grow(b.buffer, blotterRead)
	n, err := b.source.Read(b.buffer[held : held+blotterRead])
	b.buffer, b.err = b.buffer[:held+n], err
	hold := 0
	for _, needle := range b.needles {
		rest := b.buffer
		for {
			at := bytes.Index(rest, needle)
			if at < 0 {
				break
			}
			rest = rest[at:]
			for i := range needle {
				rest[i] = '*'
			}
			rest = rest[len(needle):]
		}
	}
	for _, needle := range b.needles {
		for k := min(len(needle)-1, len(b.buffer)); k > hold; k-- {
			if bytes.HasSuffix(b.buffer, needle[:k]) {
				hold = k
			}
		}
	}
	b.clean = len(b.buffer) - hold
}

func (b *blotter) Close() error { return b.source.Close() }
