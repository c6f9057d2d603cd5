package api

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"mayfly/host/execution"
)

// Bounds on what a request names; the rest is bounded by the body's size.
const (
	maxFieldErrors   = 20
	maxFiles         = 1000
	maxArgs          = 1000
	maxPackages      = 32
	maxVariables     = 1000
	maxMetadata      = 64
	maxRules         = 100
	maxGlobs         = 100
	maxTenantLength  = 128
	maxPathLength    = 1024
	maxMetadataBytes = 16 << 10
)

// A decoder turns the body of POST /v1/executions into a Request and notes
// every field that is not as the specification has it.
type decoder struct {
	reader
	pointer []byte // of the value being read, a JSON pointer
	errors  []FieldError
	request call
	seen    uint32 // members of the request itself
	refs    []int  // files that are artifacts, by index
	room    [64]byte
}

// Members of the request, as bits of decoder.seen.
const (
	seenLanguage = 1 << iota
	seenCode
	seenFiles
	seenEntrypoint
	seenStdin
	seenArgs
	seenEnv
	seenInput
	seenLimits
	seenNetwork
	seenArtifacts
	seenTenant
	seenMetadata
	seenPackages
	seenBindings
)

var (
	requestFields  = []string{"language", "code", "files", "entrypoint", "stdin", "args", "env", "input", "limits", "network", "bindings", "packages", "artifacts", "tenant", "metadata"}
	fileFields     = []string{"path", "content", "content_base64", "artifact"}
	refFields      = []string{"execution", "name"}
	limitFields    = []string{"cpu_ms", "wall_ms", "memory_mb", "output_bytes", "files_bytes", "subrequests", "operations"}
	artifactFields = []string{"paths", "export"}
	exportFields   = []string{"bucket", "prefix"}
)

// notOffered are fields of the wider contract that this server refuses, lest
// a client believe that they had an effect.
var notOffered = map[string]bool{
	"/image": true, "/callback_url": true,
}

// decode reads a whole body. A syntax error is in d.err; what is wrong with
// fields is in d.errors.
func (d *decoder) decode(body []byte) {
	d.data, d.pointer = body, d.room[:0] // which is enough for most
	if d.kind() != "object" && d.peek() != 0 {
		d.expected("an object", d.kind())
		d.skip()
		d.end()
		return
	}
	d.object(d.member)
	d.end()
	if d.err != nil {
		return
	}
	switch {
	case d.seen&seenLanguage == 0 && d.request.session != "":
	case d.seen&seenLanguage == 0:
		d.failAt("/language", "required: a language of /v1/runtimes")
	case d.request.Language == "" && len(d.errors) == 0:
		d.failAt("/language", "must not be empty")
	}
	switch {
	case d.seen&(seenCode|seenEntrypoint) == 0:
		d.failAt("/code", "required, unless entrypoint names one of files")
	case d.seen&seenCode != 0 && d.seen&seenEntrypoint != 0:
		d.failAt("/entrypoint", "code and entrypoint exclude each other")
	case d.seen&seenEntrypoint != 0 && len(d.errors) == 0 && !d.hasFile(d.request.Entrypoint):
		d.failAt("/entrypoint", "must be the path of one of files")
	}
}

func (d *decoder) hasFile(name string) bool {
	for i := range d.request.Files {
		if path.Clean(d.request.Files[i].Path) == path.Clean(name) {
			return true
		}
	}
	return false
}

func (d *decoder) member(name []byte) {
	mark := d.enterMember(name)
	r := &d.request
	switch string(name) {
	case "language":
		if d.once(seenLanguage) {
			d.text(&r.Language)
		}
	case "code":
		if d.once(seenCode) {
			d.text(&r.Code)
		}
	case "files":
		if d.once(seenFiles) {
			d.list("an array of files", maxFiles, d.file)
			d.uniqueFiles()
		}
	case "entrypoint":
		if d.once(seenEntrypoint) {
			d.text(&r.Entrypoint)
		}
	case "stdin":
		if d.once(seenStdin) {
			var s string
			d.text(&s)
			r.Stdin = []byte(s)
		}
	case "args":
		if d.once(seenArgs) {
			d.list("an array of strings", maxArgs, func(int) { d.appendText(&r.Args) })
		}
	case "env":
		if d.once(seenEnv) {
			r.Env = d.textMap(maxVariables, func(name string) string {
				if name == "" || strings.ContainsAny(name, "=\x00") {
					return "a variable's name must not be empty and holds no '=' or NUL"
				}
				return ""
			})
			for name, value := range r.Env {
				if strings.IndexByte(value, 0) >= 0 {
					d.failAt("/env/"+escapePointer(name), "holds a NUL")
				}
			}
		}
	case "input":
		if d.once(seenInput) {
			r.Input = bytes.Clone(d.raw())
		}
	case "limits":
		if d.once(seenLimits) {
			d.fields("an object of limits", d.limit)
		}
	case "network":
		if d.once(seenNetwork) {
			d.fields("an object", d.networkMember)
		}
	case "bindings":
		if d.once(seenBindings) {
			d.bindings()
		}
	case "packages":
		if d.once(seenPackages) {
			d.list("an array of strings", maxPackages, func(int) { d.appendText(&r.Packages) })
		}
	case "artifacts":
		if d.once(seenArtifacts) {
			d.fields("an object", d.artifactsMember)
		}
	case "tenant":
		if d.once(seenTenant) {
			d.text(&r.Tenant)
			if !validTenant(r.Tenant) {
				d.fail(fmt.Sprintf("must be 1 to %d characters of A-Z a-z 0-9 . _ -", maxTenantLength))
			}
		}
	case "metadata":
		if d.once(seenMetadata) {
			r.Metadata = d.textMap(maxMetadata, func(string) string { return "" })
			size := 0
			for key, value := range r.Metadata {
				size += len(key) + len(value)
			}
			if size > maxMetadataBytes {
				d.fail(fmt.Sprintf("must not exceed %d bytes in all", maxMetadataBytes))
			}
		}
	default:
		d.unknown(name, requestFields)
	}
	d.pointer = d.pointer[:mark]
}

func (d *decoder) file(i int) {
	d.request.Files = append(d.request.Files, execution.File{})
	f := &d.request.Files[len(d.request.Files)-1]
	contents := 0
	seen := uint32(0)
	object := d.fields("a file: an object with path and content, content_base64 or artifact", func(name []byte) {
		mark := d.enterMember(name)
		switch string(name) {
		case "path":
			if d.first(&seen, 1) {
				d.text(&f.Path)
				if message := badPath(f.Path); message != "" {
					d.fail(message)
				}
			}
		case "content":
			if d.first(&seen, 2) {
				contents++
				var s string
				d.text(&s)
				f.Content = []byte(s)
			}
		case "content_base64":
			if d.first(&seen, 4) {
				contents++
				f.Content = d.base64()
			}
		case "artifact":
			if d.first(&seen, 8) {
				contents++
				f.Artifact = new(execution.ArtifactRef)
				d.refs = append(d.refs, i)
				d.ref(f.Artifact)
			}
		default:
			d.unknown(name, fileFields)
		}
		d.pointer = d.pointer[:mark]
	})
	if !object {
		return
	}
	if seen&1 == 0 {
		d.failAt(string(d.pointer)+"/path", "required: where the file is mounted")
	}
	if contents != 1 {
		d.fail("must have exactly one of content, content_base64 and artifact")
	}
}

// uniqueFiles notes paths that are given twice.
func (d *decoder) uniqueFiles() {
	if len(d.request.Files) < 2 {
		return
	}
	seen := make(map[string]int, len(d.request.Files))
	for i := range d.request.Files {
		name := path.Clean(d.request.Files[i].Path)
		if other, ok := seen[name]; ok && name != "." {
			d.failAt("/files/"+strconv.Itoa(i)+"/path", fmt.Sprintf("is the path of file %d too", other))
		}
		seen[name] = i
	}
}

func (d *decoder) ref(ref *execution.ArtifactRef) {
	seen := uint32(0)
	object := d.fields("an object with execution and name", func(name []byte) {
		mark := d.enterMember(name)
		switch string(name) {
		case "execution":
			if d.first(&seen, 1) {
				d.text(&ref.Execution)
			}
		case "name":
			if d.first(&seen, 2) {
				d.text(&ref.Name)
			}
		default:
			d.unknown(name, refFields)
		}
		d.pointer = d.pointer[:mark]
	})
	if object && (ref.Execution == "" || ref.Name == "") {
		d.fail("must name the execution and the name of an artifact")
	}
}

func (d *decoder) limit(name []byte) {
	mark := d.enterMember(name)
	l := &d.request.Limits
	// A limit of zero would mean the default further down, so it is refused.
	switch string(name) {
	case "cpu_ms":
		d.duration(&l.CPU)
	case "wall_ms":
		d.duration(&l.Wall)
	case "memory_mb":
		if n, ok := d.positive(math.MaxInt64 >> 20); ok {
			l.MemoryBytes = n << 20
		}
	case "output_bytes":
		l.OutputBytes, _ = d.positive(math.MaxInt64)
	case "files_bytes":
		l.FilesBytes, _ = d.positive(math.MaxInt64)
	case "subrequests":
		n, _ := d.positive(math.MaxInt32)
		l.Subrequests = int(n)
	case "operations":
		n, _ := d.positive(math.MaxInt32)
		l.Operations = int(n)
	default:
		d.unknown(name, limitFields)
	}
	d.pointer = d.pointer[:mark]
}

func (d *decoder) duration(to *time.Duration) {
	if n, ok := d.positive(int64(math.MaxInt64 / time.Millisecond)); ok {
		*to = time.Duration(n) * time.Millisecond
	}
}

func (d *decoder) artifactsMember(name []byte) {
	mark := d.enterMember(name)
	switch string(name) {
	case "paths":
		d.request.Artifacts = []string{}
		d.list("an array of glob patterns", maxGlobs, func(int) { d.appendText(&d.request.Artifacts) })
	case "export":
		d.export()
	default:
		d.unknown(name, artifactFields)
	}
	d.pointer = d.pointer[:mark]
}

func (d *decoder) export() {
	x := &execution.Export{}
	object := d.fields("an object with bucket and prefix", func(name []byte) {
		mark := d.enterMember(name)
		switch string(name) {
		case "bucket":
			d.text(&x.Bucket)
		case "prefix":
			d.text(&x.Prefix)
		default:
			d.unknown(name, exportFields)
		}
		d.pointer = d.pointer[:mark]
	})
	if object && x.Bucket == "" {
		d.failAt(string(d.pointer)+"/bucket", "required: the name of a bucket")
	}
	d.request.Export = x
}

// enterMember appends a name to the pointer and returns the length to cut it
// back to.
func (d *decoder) enterMember(name []byte) int {
	mark := len(d.pointer)
	d.pointer = append(d.pointer, '/')
	if bytes.IndexByte(name, '~') < 0 && bytes.IndexByte(name, '/') < 0 {
		d.pointer = append(d.pointer, name...)
	} else {
		d.pointer = append(d.pointer, escapePointer(string(name))...)
	}
	return mark
}

// fields reads an object, or notes what was expected.
func (d *decoder) fields(expected string, member func(name []byte)) bool {
	if kind := d.kind(); kind != "object" {
		d.expected(expected, kind)
		d.skip()
		return false
	}
	return d.object(member)
}

// list reads an array, or notes what was expected.
func (d *decoder) list(expected string, most int, element func(i int)) {
	if kind := d.kind(); kind != "array" {
		d.expected(expected, kind)
		d.skip()
		return
	}
	d.array(func(i int) {
		if i >= most {
			if i == most {
				d.fail(fmt.Sprintf("must not have more than %d elements", most))
			}
			d.skip()
			return
		}
		mark := len(d.pointer)
		d.pointer = strconv.AppendInt(append(d.pointer, '/'), int64(i), 10)
		element(i)
		d.pointer = d.pointer[:mark]
	})
}

// textMap reads an object of strings; check says what is wrong with a name.
func (d *decoder) textMap(most int, check func(name string) string) map[string]string {
	m := map[string]string{}
	d.fields("an object of strings", func(raw []byte) {
		name := string(raw)
		mark := d.enterMember(raw)
		defer func() { d.pointer = d.pointer[:mark] }()
		if message := check(name); message != "" {
			d.fail(message)
		}
		if _, twice := m[name]; twice {
			d.fail("is given twice")
		}
		if len(m) == most {
			d.failAt(string(d.pointer[:mark]), fmt.Sprintf("must not have more than %d members", most))
			d.skip()
			return
		}
		var value string
		d.text(&value)
		m[name] = value
	})
	return m
}

func (d *decoder) text(to *string) {
	kind := d.kind()
	s, ok := d.string()
	switch {
	case ok:
		*to = s
	case kind != "string":
		d.expected("a string", kind)
	default:
		d.fail("holds an unpaired surrogate, which no text can")
	}
}

func (d *decoder) flag(to *bool) {
	kind := d.kind()
	if kind != "boolean" {
		d.expected("true or false", kind)
		d.skip()
		return
	}
	*to = d.peek() == 't'
	d.skip()
}

func (d *decoder) appendText(to *[]string) {
	var s string
	d.text(&s)
	*to = append(*to, s)
}

// base64 reads standard base64 with padding (RFC 4648 section 4).
func (d *decoder) base64() []byte {
	kind := d.kind()
	if kind != "string" {
		d.expected("a string in base64", kind)
		d.skip()
		return nil
	}
	b, _ := d.reader.text()
	if d.err != nil {
		return nil
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	n, err := base64.StdEncoding.Decode(out, b)
	if err != nil {
		d.fail("must be base64 (RFC 4648, with padding): " + err.Error())
		return nil
	}
	return out[:n]
}

// positive reads an integer from 1 to most.
func (d *decoder) positive(most int64) (int64, bool) {
	kind := d.kind()
	n, ok := d.integer()
	switch {
	case kind != "number":
		d.expected("an integer", kind)
	case !ok || n < 1 || n > most:
		d.fail("must be an integer from 1 to " + strconv.FormatInt(most, 10))
	default:
		return n, true
	}
	return 0, false
}

// once reports whether a member of the request comes for the first time; if
// not, its value is skipped.
func (d *decoder) once(bit uint32) bool { return d.first(&d.seen, bit) }

func (d *decoder) first(seen *uint32, bit uint32) bool {
	if *seen&bit != 0 {
		d.fail("is given twice")
		d.skip()
		return false
	}
	*seen |= bit
	return true
}

// unknown notes a member that there is not, and what may have been meant.
func (d *decoder) unknown(name []byte, known []string) {
	switch meant := nearest(string(name), known); {
	case notOffered[string(d.pointer)]:
		d.fail("is not offered by this server")
	case meant != "":
		d.fail(fmt.Sprintf("unknown field; did you mean %s?", meant))
	default:
		d.fail("unknown field; known are " + strings.Join(known, ", "))
	}
	d.skip()
}

func (d *decoder) expected(what, kind string) {
	d.fail("expected " + what + ", not " + kind)
}

// fail notes what is wrong with the value at the pointer.
func (d *decoder) fail(message string) { d.failAt(string(d.pointer), message) }

func (d *decoder) failAt(pointer, message string) {
	if d.err == nil && len(d.errors) < maxFieldErrors {
		d.errors = append(d.errors, FieldError{Pointer: pointer, Detail: message})
	}
}
