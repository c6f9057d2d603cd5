package assets

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"mayfly/host/op"
)

// Bounds of the files of rules, as the documentation has them.
const (
	maxStaticRedirects  = 2000
	maxDynamicRedirects = 100
	maxRedirect         = 1000 // characters of a line
	maxHeaderRules      = 100
	maxHeaderLine       = 2000 // characters
	// MaxRules is the size in bytes beyond which a file of rules is refused.
	MaxRules = 4 << 20
)

// Rules are what the files _redirects and _headers of a directory of assets say:
// https://developers.cloudflare.com/workers/static-assets/redirects/ and
// https://developers.cloudflare.com/workers/static-assets/headers/. The nil Rules
// say nothing.
type Rules struct {
	static  map[string]redirect
	dynamic []redirect
	headers []headerRule
}

// A redirect leads from paths to a location, in which :name stands for a part of
// the path.
type redirect struct {
	from     *regexp.Regexp // nil: one path
	location string
	status   int
}

// A headerRule changes the headers of answers for paths.
type headerRule struct {
	path  *regexp.Regexp
	set   []op.Pair
	unset []string // in lower case
}

// ParseRules reads both files; either may be empty. A line that says nothing that
// can be done has no effect: warnings name it, as "_headers:3: …".
func ParseRules(redirects, headers string) (r *Rules, warnings []string) {
	r = &Rules{static: map[string]redirect{}}
	r.parseRedirects(redirects, func(line int, format string, a ...any) {
		warnings = append(warnings, fmt.Sprintf("_redirects:%d: %s", line, fmt.Sprintf(format, a...)))
	})
	r.parseHeaders(headers, func(line int, format string, a ...any) {
		warnings = append(warnings, fmt.Sprintf("_headers:%d: %s", line, fmt.Sprintf(format, a...)))
	})
	return r, warnings
}

func (r *Rules) parseRedirects(text string, warn func(line int, format string, a ...any)) {
	dynamicSeen := false
	for i, line := range lines(text) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		number := i + 1
		if len(line) > maxRedirect {
			warn(number, "the line has more than %d characters", maxRedirect)
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 2 || len(fields) > 3 {
			warn(number, "expected a path, where it leads, and maybe a status")
			continue
		}
		from, to := fields[0], fields[1]
		status := http.StatusFound
		if len(fields) == 3 {
			var err error
			if status, err = strconv.Atoi(fields[2]); err != nil || !slices.Contains([]int{200, 301, 302, 303, 307, 308}, status) {
				warn(number, "%q is none of the statuses 200, 301, 302, 303, 307 and 308", fields[2])
				continue
			}
		}
		from, _, _ = strings.Cut(from, "#")
		if !strings.HasPrefix(from, "/") || strings.HasPrefix(from, "//") {
			warn(number, "%q is no path: hosts have no rules", fields[0])
			continue
		}
		relative := strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//")
		if !relative && !strings.HasPrefix(to, "https://") && !strings.HasPrefix(to, "http://") {
			warn(number, "%q is neither a path nor a URL of http or https", to)
			continue
		}
		if status == http.StatusOK && !relative {
			warn(number, "a proxy (200) leads to a path, not to another host")
			continue
		}
		if status == http.StatusOK && strings.HasSuffix(from, "*") && (strings.HasSuffix(to, "/index.html") || strings.HasSuffix(to, "/index") || to == "/") {
			warn(number, "it leads to itself: not_found_handling \"single-page-application\" has one page answer for all")
			continue
		}
		pattern, err := compile(from)
		if err != nil {
			warn(number, "%v", err)
			continue
		}
		rule := redirect{pattern, escape(to), status}
		// What comes after a dynamic one is not looked at before it.
		if pattern == nil && !dynamicSeen {
			path := escape(from)
			switch _, again := r.static[path]; {
			case again:
				warn(number, "there is a redirect of %s before", from)
			case len(r.static) == maxStaticRedirects:
				warn(number, "there are more than %d redirects without * or placeholders", maxStaticRedirects)
			default:
				r.static[path] = rule
			}
			continue
		}
		dynamicSeen = true
		if len(r.dynamic) == maxDynamicRedirects {
			warn(number, "there are more than %d redirects with * or placeholders, and after one of those", maxDynamicRedirects)
			continue
		}
		if rule.from == nil {
			rule.from = regexp.MustCompile("^" + regexp.QuoteMeta(escape(from)) + "$")
		}
		r.dynamic = append(r.dynamic, rule)
	}
}

func (r *Rules) parseHeaders(text string, warn func(line int, format string, a ...any)) {
	var rule *headerRule
	begun := 0
	end := func() {
		if rule != nil && len(rule.set)+len(rule.unset) > 0 {
			r.headers = append(r.headers, *rule)
		} else if rule != nil {
			warn(begun, "the rule has no headers")
		}
		rule = nil
	}
	skipping := false // the headers of a path that has no rule
	for i, line := range lines(text) {
		number := i + 1
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if len(line) > maxHeaderLine {
			warn(number, "the line has more than %d characters", maxHeaderLine)
			continue
		}
		if line[0] == '/' || strings.HasPrefix(line, "https://") || strings.HasPrefix(line, "http://") {
			end()
			skipping = true
			switch pattern, err := compile(line); {
			case line[0] != '/' || strings.HasPrefix(line, "//"):
				warn(number, "%q is no path: hosts have no rules", line)
			case err != nil:
				warn(number, "%v", err)
			case len(r.headers) == maxHeaderRules:
				warn(number, "there are more than %d rules", maxHeaderRules)
			default:
				if pattern == nil {
					pattern = regexp.MustCompile("^" + regexp.QuoteMeta(escape(line)) + "$")
				}
				rule, begun, skipping = &headerRule{path: pattern}, number, false
			}
			continue
		}
		switch {
		case skipping:
			continue
		case rule == nil:
			warn(number, "a header before the first path")
			continue
		}
		if name, not := strings.CutPrefix(line, "!"); not {
			if name = strings.ToLower(strings.TrimSpace(name)); !httpguts.ValidHeaderFieldName(name) {
				warn(number, "%q is no name of a header", name)
				continue
			}
			rule.unset = append(rule.unset, name)
			continue
		}
		name, value, colon := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !colon || value == "":
			warn(number, "expected a header as Name: value, or ! Name")
		case !httpguts.ValidHeaderFieldName(name):
			warn(number, "%q is no name of a header", name)
		case !httpguts.ValidHeaderFieldValue(value):
			warn(number, "the value has characters that headers don't")
		case slices.Contains([]string{"content-length", "transfer-encoding", "connection", "content-range"}, name):
			warn(number, "%s is the connection's own", name)
		default:
			rule.set = append(rule.set, op.Pair{Name: name, Value: value})
		}
	}
	end()
}

func lines(text string) []string {
	return strings.Split(strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n"), "\n")
}

// placeholder is a part of a path with a name, in a rule and where it leads.
var placeholder = regexp.MustCompile(`:[A-Za-z]\w*`)

// compile makes a pattern of a path: * stands for anything, :name for one part.
// Nil: the path has neither.
func compile(path string) (*regexp.Regexp, error) {
	var b strings.Builder
	names := map[string]bool{}
	stars := strings.Count(path, "*")
	if stars > 1 {
		return nil, fmt.Errorf("%q has more than one *", path)
	}
	found := placeholder.FindAllStringIndex(path, -1)
	if stars == 0 && len(found) == 0 {
		return nil, nil
	}
	literal := func(s string) {
		before, after, star := strings.Cut(s, "*")
		b.WriteString(regexp.QuoteMeta(escape(before)))
		if star {
			b.WriteString("(?P<splat>.*)")
			b.WriteString(regexp.QuoteMeta(escape(after)))
		}
	}
	b.WriteString("^")
	at := 0
	for _, place := range found {
		literal(path[at:place[0]])
		at = place[1]
		name := path[place[0]+1 : place[1]]
		if names[name] || name == "splat" {
			return nil, fmt.Errorf("%q has :%s twice, or it is the name of *", path, name)
		}
		names[name] = true
		b.WriteString("(?P<" + name + ">[^/]+)")
	}
	literal(path[at:])
	b.WriteString("$")
	return regexp.Compile(b.String())
}

// escape has characters beyond ASCII be as URLs have them.
func escape(s string) string {
	plain := true
	for i := range len(s) {
		plain = plain && s[i] < 0x80
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if s[i] < 0x80 {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}

// fill puts the parts of a path into a text that names them.
func fill(text string, pattern *regexp.Regexp, match []string) string {
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		if i := pattern.SubexpIndex(name[1:]); i >= 0 {
			return match[i]
		}
		return name
	})
}

// redirect is where a path leads; status 0: nowhere else.
func (r *Rules) redirect(path string) (location string, status int) {
	if r == nil {
		return "", 0
	}
	if rule, ok := r.static[path]; ok {
		return rule.location, rule.status
	}
	for _, rule := range r.dynamic {
		if match := rule.from.FindStringSubmatch(path); match != nil {
			return fill(rule.location, rule.from, match), rule.status
		}
	}
	return "", 0
}

// apply changes the headers of the answer for a path. Nil answers stay nil.
func (r *Rules) apply(path string, answer *Response) {
	if r == nil || answer == nil {
		return
	}
	given := map[string]bool{} // by a rule: the next adds to it
	for _, rule := range r.headers {
		match := rule.path.FindStringSubmatch(path)
		if match == nil {
			continue
		}
		for _, name := range rule.unset {
			answer.Header = slices.DeleteFunc(answer.Header, func(p op.Pair) bool { return p.Name == name })
			delete(given, name)
		}
		for _, p := range rule.set {
			value := fill(p.Value, rule.path, match)
			i := slices.IndexFunc(answer.Header, func(have op.Pair) bool { return have.Name == p.Name })
			switch {
			case i < 0 || given[p.Name] && p.Name == "set-cookie":
				answer.set(p.Name, value)
			case given[p.Name]:
				answer.Header[i].Value += ", " + value
			default:
				answer.Header[i].Value = value
			}
			given[p.Name] = true
		}
	}
}

// follow is what the rules say of a path: an answer, or the path that is looked
// for in its place.
func (r *Rules) follow(asked string) (answer *Response, path string) {
	location, status := r.redirect(asked)
	switch status {
	case 0:
		return nil, asked
	case http.StatusOK:
		path, _, _ = strings.Cut(location, "#")
		path, _, _ = strings.Cut(path, "?")
		return nil, path
	}
	answer = &Response{Status: status}
	answer.set("location", location)
	return answer, asked
}

// WithQuery is a location with the query of the request, unless it has its own.
func WithQuery(location, query string) string {
	if query == "" {
		return location
	}
	before, fragment, hash := strings.Cut(location, "#")
	if strings.Contains(before, "?") {
		return location
	}
	before += "?" + query
	if hash {
		before += "#" + fragment
	}
	return before
}
