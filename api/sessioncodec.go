package api

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"mayfly/host/execution"
	"mayfly/host/session"
	"mayfly/host/vfs"
)

// A sessionDecoder turns the body of POST /v1/sessions, and those of the
// requests that have options of a session, into what they ask for.
type sessionDecoder struct {
	decoder
	known      []string // members that the body may have
	snapshot   string
	name       string
	idle       time.Duration
	deleteIdle bool
	own        uint32 // of the members that only sessions have, those seen
}

const (
	seenSnapshot = 1 << iota
	seenName
	seenIdle
	seenOnIdle
)

var sessionFields = []string{"language", "snapshot", "files", "env", "limits", "network", "bindings", "packages", "idle_timeout_ms", "on_idle", "tenant", "metadata"}

// decode reads the body of POST /v1/sessions.
func (d *sessionDecoder) decode(body []byte) {
	d.read(body, sessionFields)
	if d.err != nil {
		return
	}
	switch {
	case d.seen&seenLanguage == 0 && d.own&seenSnapshot == 0:
		d.failAt("/language", "required: a language of /v1/runtimes; or a snapshot")
	case d.seen&seenLanguage != 0 && d.request.Language == "" && len(d.errors) == 0:
		d.failAt("/language", "must not be empty")
	case d.own&seenSnapshot != 0 && d.snapshot == "" && len(d.errors) == 0:
		d.failAt("/snapshot", "must not be empty")
	}
}

// read reads a whole body, of which it knows these members.
func (d *sessionDecoder) read(body []byte, known []string) {
	d.known = known
	d.data, d.pointer = body, d.room[:0]
	if d.kind() != "object" && d.peek() != 0 {
		d.expected("an object", d.kind())
		d.skip()
	} else {
		d.object(d.sessionMember)
	}
	d.end()
}

func (d *sessionDecoder) sessionMember(name []byte) {
	known := false
	for _, k := range d.known {
		known = known || k == string(name)
	}
	mark := d.enterMember(name)
	defer func() { d.pointer = d.pointer[:mark] }()
	switch {
	case !known:
		d.unknown(name, d.known)
		return
	case string(name) == "snapshot":
		if d.first(&d.own, seenSnapshot) {
			d.text(&d.snapshot)
		}
	case string(name) == "name":
		if d.first(&d.own, seenName) {
			d.text(&d.name)
		}
	case string(name) == "idle_timeout_ms":
		if d.first(&d.own, seenIdle) {
			if n, ok := d.positive(int64(session.MaxIdleTimeout / time.Millisecond)); ok {
				d.idle = time.Duration(n) * time.Millisecond
			}
		}
	case string(name) == "on_idle":
		if d.first(&d.own, seenOnIdle) {
			var what string
			d.text(&what)
			d.deleteIdle = what == onIdleDelete
			if what != onIdleDelete && what != onIdleHibernate {
				d.fail("must be " + onIdleHibernate + " or " + onIdleDelete)
			}
		}
	default:
		d.pointer = d.pointer[:mark]
		d.member(name)
	}
}

// What becomes of a session that nobody uses.
const (
	onIdleHibernate = "hibernate"
	onIdleDelete    = "delete"
)

// readOptions reads a body that may be missing, of which it knows these
// members.
func (s *Server) readOptions(c echo.Context, known ...string) (*sessionDecoder, *Problem) {
	d := &sessionDecoder{}
	r := c.Request()
	if r.ContentLength == 0 && r.Header.Get("Content-Type") == "" {
		return d, nil
	}
	body, problem := s.readBody(r)
	if problem != nil {
		return nil, problem
	}
	defer body.release()
	d.read(body.b, known)
	switch {
	case d.err != nil:
		return nil, d.syntaxProblem()
	case len(d.errors) > 0:
		return nil, invalid(d.errors)
	case len(d.name) > session.MaxNameLength:
		return nil, invalid([]FieldError{{Pointer: "/name", Detail: fmt.Sprintf("must not exceed %d bytes", session.MaxNameLength)}})
	}
	return d, nil
}

// appendSession appends a session as GET /v1/sessions/{id} answers it.
func appendSession(b []byte, i *session.Info) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, i.ID)
	b = append(b, `,"language":`...)
	b = appendString(b, i.Language)
	b = append(b, `,"status":`...)
	b = appendString(b, string(i.Status))
	b = append(b, `,"created_at":`...)
	b = appendTime(b, i.CreatedAt)
	b = append(b, `,"used_at":`...)
	b = appendTime(b, i.UsedAt)
	b = append(b, `,"expires_at":`...)
	if i.ExpiresAt.IsZero() {
		b = append(b, "null"...)
	} else {
		b = appendTime(b, i.ExpiresAt)
	}
	b = append(b, `,"executions":`...)
	b = strconv.AppendInt(b, int64(i.Cells), 10)
	b = append(b, `,"memory_bytes":`...)
	b = strconv.AppendInt(b, i.MemoryBytes, 10)
	b = append(b, `,"files_bytes":`...)
	b = strconv.AppendInt(b, i.FileBytes, 10)
	b = append(b, `,"idle_timeout_ms":`...)
	b = strconv.AppendInt(b, i.IdleTimeout.Milliseconds(), 10)
	b = append(b, `,"on_idle":`...)
	if i.DeleteIdle {
		b = appendString(b, onIdleDelete)
	} else {
		b = appendString(b, onIdleHibernate)
	}
	b = append(b, `,"limits":`...)
	b = appendLimits(b, &i.Limits)
	b = append(b, `,"network":`...)
	b = appendNetwork(b, &i.Network)
	if len(i.Bindings) > 0 {
		b = append(b, `,"bindings":`...)
		b = appendBindings(b, i.Bindings)
	}
	b = append(b, `,"metadata":`...)
	b = appendStringMap(b, i.Metadata)
	if i.Parent != "" {
		b = append(b, `,"parent":`...)
		b = appendString(b, i.Parent)
	}
	if i.Snapshot != "" {
		b = append(b, `,"snapshot":`...)
		b = appendString(b, i.Snapshot)
	}
	return append(b, '}')
}

// appendLimits appends the limits that were asked for.
func appendLimits(b []byte, l *execution.Limits) []byte {
	b = append(b, '{')
	for _, x := range []struct {
		name  string
		value int64
	}{
		{"cpu_ms", l.CPU.Milliseconds()}, {"wall_ms", l.Wall.Milliseconds()}, {"memory_mb", l.MemoryBytes >> 20},
		{"output_bytes", l.OutputBytes}, {"files_bytes", l.FilesBytes}, {"subrequests", int64(l.Subrequests)}, {"operations", int64(l.Operations)},
	} {
		if x.value == 0 {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(appendString(b, x.name), ':')
		b = strconv.AppendInt(b, x.value, 10)
	}
	return append(b, '}')
}

// appendNetwork appends rules as they were given.
func appendNetwork(b []byte, n *execution.Network) []byte {
	b = append(b, `{"allow":[`...)
	for i := range n.Allow {
		rule := &n.Allow[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"host":`...)
		b = appendString(b, rule.Host)
		if rule.Ports != nil {
			b = append(b, `,"ports":[`...)
			for k, port := range rule.Ports {
				if k > 0 {
					b = append(b, ',')
				}
				b = strconv.AppendInt(b, int64(port), 10)
			}
			b = append(b, ']')
		}
		if rule.Methods != nil {
			b = append(b, `,"methods":`...)
			b = appendStrings(b, rule.Methods)
		}
		if rule.Inject != nil {
			b = appendInjections(b, rule.Inject)
		}
		if rule.AllowHTTP {
			b = append(b, `,"allow_http":true`...)
		}
		b = append(b, '}')
	}
	return append(b, `]}`...)
}

// appendInjections appends the names of secrets, and where they go.
func appendInjections(b []byte, injections []execution.Injection) []byte {
	b = append(b, `,"inject":[`...)
	for k := range injections {
		i := &injections[k]
		if k > 0 {
			b = append(b, ',')
		}
		if i.Header != "" {
			b = appendString(append(b, `{"header":`...), i.Header)
		} else {
			b = appendString(append(b, `{"query":`...), i.Query)
		}
		b = appendString(append(b, `,"secret":`...), i.Secret)
		if i.Format != "" {
			b = appendString(append(b, `,"format":`...), i.Format)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// appendSnapshot appends a snapshot as GET /v1/snapshots/{id} answers it.
func appendSnapshot(b []byte, p *session.Snapshot) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, p.ID)
	b = append(b, `,"session":`...)
	b = appendString(b, p.Session)
	b = append(b, `,"language":`...)
	b = appendString(b, p.Language)
	b = append(b, `,"name":`...)
	b = appendString(b, p.Name)
	b = append(b, `,"created_at":`...)
	b = appendTime(b, p.CreatedAt)
	b = append(b, `,"executions":`...)
	b = strconv.AppendInt(b, int64(p.Cells), 10)
	b = append(b, `,"size":`...)
	b = strconv.AppendInt(b, p.Size, 10)
	b = append(b, `,"memory_bytes":`...)
	b = strconv.AppendInt(b, p.MemoryBytes, 10)
	b = append(b, `,"files_bytes":`...)
	b = strconv.AppendInt(b, p.FileBytes, 10)
	b = append(b, `,"sha256":`...)
	b = appendString(b, p.SHA256)
	return append(b, '}')
}

// appendFile appends an entry of a directory.
func appendFile(b []byte, f *session.File) []byte {
	b = append(b, `{"name":`...)
	b = appendString(b, f.Name)
	b = append(b, `,"path":`...)
	b = appendString(b, f.Path)
	b = append(b, `,"type":`...)
	if f.Kind == vfs.Directory {
		b = append(b, `"directory"`...)
	} else {
		b = append(b, `"file"`...)
	}
	b = append(b, `,"size":`...)
	b = strconv.AppendInt(b, f.Size, 10)
	b = append(b, `,"modified_at":`...)
	b = appendTime(b, f.Mtime)
	return append(b, '}')
}

// appendNext ends a list that has pages.
func appendNext(b []byte, next string) []byte {
	b = append(b, `],"next_cursor":`...)
	if next == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, next)
	}
	return append(b, '}')
}

// readBytes reads a body of any type into a buffer that the caller releases.
func (s *Server) readBytes(r *http.Request) (*buffer, *Problem) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, newProblem(unsupportedMedia, "The body must not be encoded (Content-Encoding: %s).", encoding)
	}
	return s.readAll(r)
}
