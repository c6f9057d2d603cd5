package api

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A hostPolicy knows the names under which a server is reached. A page of a
// hostile site can make its own name resolve to loopback (DNS rebinding); the
// Host field then still has that name.
type hostPolicy struct {
	any       bool            // every name is served
	names     map[string]bool // without port, in lower case
	artifacts string          // suffix of artifact hosts, as ".localhost"; empty: there are none
}

// artifactHostPrefix begins the host name of an execution's artifacts. Ids are
// letters and digits, so the name is one label.
const artifactHostPrefix = "a-"

func newHostPolicy(o *Options) *hostPolicy {
	p := &hostPolicy{names: map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true}}
	listen, _, _ := net.SplitHostPort(o.Listen)
	if listen != "" && listen != "0.0.0.0" && listen != "::" {
		p.names[strings.ToLower(listen)] = true
	}
	for _, name := range o.Hosts {
		p.names[hostName(name)] = true
	}
	if o.PublicURL != "" {
		u, _ := url.Parse(o.PublicURL) // checked by withDefaults
		p.names[hostName(u.Host)] = true
	}
	p.any = o.RequireKeys && len(o.Hosts) == 0 && o.PublicURL == ""
	if domain := artifactDomain(o); domain != "" {
		p.artifacts = "." + strings.ToLower(domain)
	}
	return p
}

// artifactDomain is the domain of artifact hosts, or empty.
func artifactDomain(o *Options) string {
	if o.ArtifactDomain != "" || o.PublicURL != "" {
		return o.ArtifactDomain
	}
	switch host, _, _ := net.SplitHostPort(o.Listen); strings.ToLower(host) {
	case "127.0.0.1", "::1", "localhost":
		return "localhost"
	}
	return ""
}

// allows says whether a Host field names this server.
func (p *hostPolicy) allows(host string) bool {
	return p.any || p.names[hostName(host)]
}

// execution is the id of the execution whose artifacts a Host field names, or
// empty.
func (p *hostPolicy) execution(host string) string {
	if p.artifacts == "" || len(host) < len(artifactHostPrefix)+len(p.artifacts) || host[1] != '-' {
		return ""
	}
	name, ok := strings.CutSuffix(hostName(host), p.artifacts)
	if !ok {
		return ""
	}
	id, ok := strings.CutPrefix(name, artifactHostPrefix)
	if !ok || strings.Contains(id, ".") {
		return ""
	}
	return id
}

// hostName is a Host field without port, brackets and final dot, in lower
// case.
func hostName(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 && (host[0] == '[' || strings.IndexByte(host, ':') == i) {
		host = host[:i]
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

var (
	corsMethods = "GET, HEAD, POST, PUT, DELETE"
	corsFields  = "Accept, Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Prefer, X-API-Key"
	corsExposed = "Location, Retry-After, Idempotency-Replayed, Preference-Applied"
)

// checkOrigin refuses what a page of another origin asks for, unless that
// origin is allowed, and answers preflight requests (Fetch Standard, section
// 3.2). answered is true when nothing is left to do.
func (s *Server) checkOrigin(w http.ResponseWriter, r *http.Request) (answered bool, p *Problem) {
	origins := r.Header["Origin"]
	sites := r.Header["Sec-Fetch-Site"]
	if len(s.options.Origins) > 0 {
		w.Header().Add("Vary", "Origin")
	}
	if len(origins) == 0 && len(sites) == 0 {
		return false, nil // not a browser, or a page of our own
	}
	origin := ""
	if len(origins) > 0 {
		origin = origins[0]
	}
	if origin != "" && slices.Contains(s.options.Origins, origin) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", corsExposed)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", corsMethods)
			h.Set("Access-Control-Allow-Headers", corsFields)
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return true, nil
		}
		return false, nil
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false, nil // without a CORS field, the page can't read the answer
	}
	refused := newProblem(forbiddenOrigin, "Pages of %q may not call this server; its operator can allow them.", origin)
	if len(sites) > 0 && sites[0] != "same-origin" && sites[0] != "none" {
		return false, refused
	}
	if origin == "" {
		return false, nil
	}
	// An opaque origin is "null", which has no host.
	if u, err := url.Parse(origin); err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
		return false, refused
	}
	return false, nil
}
