package api

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"mayfly/host/binding"
	"mayfly/host/execution"
)

// The functions of this file append JSON to a buffer, as append does. They
// are the only encoder of executions and their events: synchronous answers,
// streams and stored records all come from here.

// timeLayout is RFC 3339 in UTC with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

const hexDigits = "0123456789abcdef"

// plain tells the bytes that stand for themselves in a JSON string.
var plain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// appendString appends a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(b, s[start:i]...)
				b = append(b, "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// appendStrings appends an array of strings.
func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

// appendStringMap appends an object with its names in order, so that equal
// maps encode alike.
func appendStringMap(b []byte, m map[string]string) []byte {
	if len(m) == 0 {
		return append(b, '{', '}')
	}
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		b = appendString(b, m[name])
	}
	return append(b, '}')
}

// appendTime appends a time as timeLayout has it.
func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, timeLayout)
	return append(b, '"')
}

// appendMillis appends a duration in milliseconds, to the microsecond.
func appendMillis(b []byte, d time.Duration) []byte {
	us := max(d, 0).Microseconds()
	b = strconv.AppendInt(b, us/1000, 10)
	rest := us % 1000
	if rest == 0 {
		return b
	}
	b = append(b, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
	return bytes.TrimRight(b, "0")
}

// appendValue appends a JSON text that a guest made: on one line, as streams
// want it, and as a string if it is no JSON after all.
func appendValue(b []byte, raw []byte) []byte {
	// A guest's value may nest deeper than a request; the bound is that of
	// encoding/json, less what is around the value.
	r := reader{data: raw, depth: maxDepth - 9_900}
	r.skip()
	r.end()
	if r.err != nil {
		return appendString(b, string(raw))
	}
	raw = bytes.Trim(raw, " \t\r\n")
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return append(b, raw...)
	}
	// In valid JSON a line break is never inside a string.
	for _, c := range raw {
		if c != '\n' && c != '\r' {
			b = append(b, c)
		}
	}
	return b
}

// appendResultValue appends the members result and result_type.
func appendResultValue(b []byte, r *execution.Result) []byte {
	b = append(b, `"result":`...)
	switch {
	case r.Value != nil:
		b = appendValue(b, r.Value)
	case r.ValueType != "" && r.Text != "":
		b = appendString(b, r.Text)
	default:
		b = append(b, "null"...)
	}
	b = append(b, `,"result_type":`...)
	if r.ValueType == "" {
		return append(b, "null"...)
	}
	return appendString(b, r.ValueType)
}

// appendDisplay appends a rich result as an object from media types to data.
func appendDisplay(b []byte, d *execution.Display) []byte {
	b = append(b, '{')
	for i, p := range d.Parts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, p.Type), ':')
		switch p.Form() {
		case execution.JSONForm:
			b = appendValue(b, p.Data)
		case execution.TextForm:
			b = appendString(b, string(p.Data))
		default:
			b = append(b, '"')
			b = base64.StdEncoding.AppendEncode(b, p.Data)
			b = append(b, '"')
		}
	}
	return append(b, '}')
}

// displaysSize is about how many bytes displays have when they are encoded.
func displaysSize(list []execution.Display) int {
	n := 0
	for i := range list {
		for _, p := range list[i].Parts {
			n += 64 + len(p.Data)*3/2
		}
	}
	return n
}

// maxCauses bounds a chain of causes; a guest can make a circular one.
const maxCauses = 16

func appendError(b []byte, e *execution.Error) []byte {
	depth := 0
	for ; e != nil && depth < maxCauses; e = e.Cause {
		if depth > 0 {
			b = append(b, `,"cause":`...)
		}
		b = append(b, `{"name":`...)
		b = appendString(b, e.Name)
		b = append(b, `,"message":`...)
		b = appendString(b, e.Message)
		if e.Stack != "" {
			b = append(b, `,"stack":`...)
			b = appendString(b, e.Stack)
		}
		depth++
	}
	for range depth {
		b = append(b, '}')
	}
	return b
}

func appendUsage(b []byte, u *execution.Usage) []byte {
	b = append(b, `{"cpu_ms":`...)
	b = appendMillis(b, u.CPU)
	b = append(b, `,"wall_ms":`...)
	b = appendMillis(b, u.Wall)
	b = append(b, `,"queue_ms":`...)
	b = appendMillis(b, u.Queue)
	b = append(b, `,"startup_us":`...)
	b = strconv.AppendInt(b, u.Startup.Microseconds(), 10)
	b = append(b, `,"peak_memory_bytes":`...)
	b = strconv.AppendInt(b, u.PeakMemory, 10)
	b = append(b, `,"egress_bytes":`...)
	b = strconv.AppendInt(b, u.EgressBytes, 10)
	b = append(b, `,"ingress_bytes":`...)
	b = strconv.AppendInt(b, u.IngressBytes, 10)
	b = append(b, `,"subrequests":`...)
	b = strconv.AppendInt(b, int64(u.Subrequests), 10)
	if u.Bindings != (binding.Usage{}) {
		b = append(b, `,"binding_operations":`...)
		b = strconv.AppendInt(b, int64(u.Bindings.Operations), 10)
		b = append(b, `,"binding_read_bytes":`...)
		b = strconv.AppendInt(b, u.Bindings.ReadBytes, 10)
		b = append(b, `,"binding_write_bytes":`...)
		b = strconv.AppendInt(b, u.Bindings.WriteBytes, 10)
	}
	return append(b, '}')
}

func appendRuntime(b []byte, r *execution.Runtime) []byte {
	b = append(b, `{"language":`...)
	b = appendString(b, r.Language)
	b = append(b, `,"version":`...)
	b = appendString(b, r.Version)
	b = append(b, `,"image":`...)
	b = appendString(b, r.Image)
	b = append(b, `,"digest":`...)
	b = appendString(b, r.Digest)
	return append(b, '}')
}

// appendAsked appends what the record keeps of the request: the members
// runtime, metadata and, if there is one, session, as an object.
func appendAsked(b []byte, runtime *execution.Runtime, metadata map[string]string, session string) []byte {
	b = append(b, `{"runtime":`...)
	b = appendRuntime(b, runtime)
	b = append(b, `,"metadata":`...)
	b = appendStringMap(b, metadata)
	if session != "" {
		b = append(b, `,"session":`...)
		b = appendString(b, session)
	}
	return append(b, '}')
}

// appendOutput appends what an execution produced, but its artifacts, whose
// URLs depend on who asks and when: an object with the members from result to
// usage.
func appendOutput(b []byte, r *execution.Result) []byte {
	b = append(b, '{')
	b = appendResultValue(b, r)
	b = append(b, `,"displays":[`...)
	for i := range r.Displays {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendDisplay(b, &r.Displays[i])
	}
	b = append(b, `],"stdout":`...)
	b = appendString(b, r.Stdout)
	b = append(b, `,"stderr":`...)
	b = appendString(b, r.Stderr)
	b = append(b, `,"truncated":`...)
	b = appendStrings(b, r.Truncated)
	if r.Error != nil {
		b = append(b, `,"error":`...)
		b = appendError(b, r.Error)
	}
	b = append(b, `,"exit_code":`...)
	b = strconv.AppendInt(b, int64(r.ExitCode), 10)
	b = append(b, `,"usage":`...)
	b = appendUsage(b, &r.Usage)
	return append(b, '}')
}

// A record is an execution as its encoder wants it: the parts that do not
// change are encoded already, as objects.
type record struct {
	id        string
	status    string
	outcome   string // empty until it is done
	createdAt time.Time
	asked     []byte
	output    []byte // empty until it is done
	artifacts []artifact
}

// appendExecution appends an execution as GET /v1/executions/{id} answers it.
func appendExecution(b []byte, x *record) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, x.id)
	b = append(b, `,"status":`...)
	b = appendString(b, x.status)
	if x.outcome != "" {
		b = append(b, `,"outcome":`...)
		b = appendString(b, x.outcome)
	}
	b = append(b, `,"created_at":`...)
	b = appendTime(b, x.createdAt)
	b = appendMembers(b, x.asked)
	b = appendMembers(b, x.output)
	b = append(b, `,"artifacts":`...)
	b = appendArtifacts(b, x.artifacts)
	return append(b, '}')
}

// appendMembers appends the members of an encoded object, after a comma.
func appendMembers(b, object []byte) []byte {
	if len(object) <= len("{}") {
		return b
	}
	b = append(b, ',')
	return append(b, object[1:len(object)-1]...)
}

func appendArtifacts(b []byte, list []artifact) []byte {
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendArtifact(b, &list[i])
	}
	return append(b, ']')
}

func appendArtifact(b []byte, a *artifact) []byte {
	b = append(b, `{"name":`...)
	b = appendString(b, a.Name)
	b = append(b, `,"path":`...)
	b = appendString(b, a.Path)
	b = append(b, `,"size":`...)
	b = strconv.AppendInt(b, a.Size, 10)
	b = append(b, `,"content_type":`...)
	b = appendString(b, a.ContentType)
	b = append(b, `,"sha256":`...)
	b = appendString(b, a.SHA256)
	b = append(b, `,"url":`...)
	b = appendString(b, a.url)
	if !a.expiresAt.IsZero() {
		b = append(b, `,"expires_at":`...)
		b = appendTime(b, a.expiresAt)
	}
	if x := a.Export; x != nil {
		b = appendString(append(b, `,"export":{"bucket":`...), x.Bucket)
		b = appendString(append(b, `,"key":`...), x.Key)
		if x.Error != "" {
			b = appendString(append(b, `,"error":`...), x.Error)
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

// appendProblem appends a problem.
func appendProblem(b []byte, p *Problem) []byte {
	b = append(b, `{"type":`...)
	b = appendString(b, p.Type)
	b = append(b, `,"title":`...)
	b = appendString(b, p.Title)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(p.Status), 10)
	b = append(b, `,"detail":`...)
	b = appendString(b, p.Detail)
	b = append(b, `,"instance":`...)
	b = appendString(b, p.Instance)
	b = append(b, `,"code":`...)
	b = strconv.AppendInt(b, int64(p.Code), 10)
	b = append(b, `,"message":`...)
	b = appendString(b, p.Message)
	if len(p.Errors) > 0 {
		b = append(b, `,"errors":[`...)
		for i, e := range p.Errors {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"pointer":`...)
			b = appendString(b, e.Pointer)
			b = append(b, `,"detail":`...)
			b = appendString(b, e.Detail)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	return append(b, '}')
}
