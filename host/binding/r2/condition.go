package r2

import (
	"context"
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mayfly/host/op"
	"mayfly/storage"
)

// A condition is the option onlyIf. Unlike HTTP's own, its times are compared
// in milliseconds unless it says otherwise.
type condition struct {
	hasMatches, hasNot, seconds bool
	matches, not                []string
	before, after               float64
}

func readCondition(r *op.Reader) condition {
	flags := r.U8()
	return condition{flags&1 != 0, flags&2 != 0, flags&4 != 0, r.Strs(), r.Strs(), r.F64(), r.F64()}
}

func (c *condition) empty() bool {
	return !c.hasMatches && !c.hasNot && math.IsNaN(c.before) && math.IsNaN(c.after)
}

// maxETags bounds the work of one condition.
const maxETags = 100

func (c *condition) check() error {
	if len(c.matches) > maxETags || len(c.not) > maxETags {
		return codeError(10029, "A condition may name at most %d etags.", maxETags)
	}
	return nil
}

// has says whether a list has an etag. A weak one never equals by strong
// comparison (RFC 9110, section 8.8.3.2).
func has(list []string, etag string, weak bool) bool {
	for _, e := range list {
		switch rest, isWeak := strings.CutPrefix(e, "W/"); {
		case e == "*":
			return true
		case rest == `"`+etag+`"` && (!isWeak || weak):
			return true
		}
	}
	return false
}

func (c *condition) unit(ms float64) float64 {
	if c.seconds {
		return math.Floor(ms/1000) * 1000
	}
	return ms
}

// holds judges the condition on an object, as R2 does.
func (c *condition) holds(o *storage.Object) bool {
	match := !c.hasMatches || has(c.matches, o.ETag, false)
	not := !c.hasNot || !has(c.not, o.ETag, true)
	modified := c.unit(float64(o.Modified.UnixMilli()))
	after := math.IsNaN(c.after) || c.unit(c.after) < modified || c.hasNot && not
	before := math.IsNaN(c.before) || modified < c.unit(c.before) || c.hasMatches && match
	return match && not && after && before
}

// writeConditions is the condition as the store judges it in the moment of the
// write. Of several etags the one that is there now is demanded, so that a race
// is lost rather than both won.
func (b *bucket) writeConditions(ctx context.Context, key string, c condition) (w storage.WriteConditions, err error) {
	if c.empty() {
		return w, nil
	}
	matches, simple := single(c.hasMatches, c.matches)
	not, simpleNot := single(c.hasNot, c.not)
	// A store spares the time of what its ETag lets through; R2 wants the object
	// to be there all the same.
	if !simple || !simpleNot || c.hasNot && !math.IsNaN(c.after) {
		o, err := b.objects.Head(ctx, key)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			if c.hasMatches || !math.IsNaN(c.after) {
				return w, storage.ErrPreconditionFailed
			}
			return storage.WriteConditions{IfNoneMatch: "*"}, nil
		case err != nil:
			return w, err
		case !c.holds(&o):
			return w, storage.ErrPreconditionFailed
		}
		return storage.WriteConditions{IfMatch: o.ETag}, nil
	}
	w.IfMatch, w.IfNoneMatch = matches, not
	// The store's times include the moment that they name, R2's don't.
	if !math.IsNaN(c.before) {
		w.IfUnmodifiedSince = timeOf(c.unit(c.before) - 1)
	}
	if !math.IsNaN(c.after) {
		w.IfModifiedSince = timeOf(c.unit(c.after))
		if c.seconds {
			w.IfModifiedSince = w.IfModifiedSince.Add(time.Second - time.Millisecond)
		}
	}
	return w, nil
}

// single is a list of one strong etag, or a wildcard, in the store's form.
func single(given bool, list []string) (etag string, ok bool) {
	switch {
	case !given:
		return "", true
	case len(list) != 1:
		return "", false
	case list[0] == "*":
		return "*", true
	}
	etag, quoted := strings.CutPrefix(list[0], `"`)
	etag, closed := strings.CutSuffix(etag, `"`)
	return etag, quoted && closed && etag != "" && etag != "*"
}

// askedRange is the option range: numbers, or a header.
type askedRange struct {
	offset, length, suffix float64
	header                 string
}

var rangeHeader = regexp.MustCompile(`^\s*bytes\s*=\s*([0-9]{0,15})\s*-\s*([0-9]{0,15})\s*$`)

// storage is the range in the store's form; nil: everything. A header of
// several ranges, or of none that can be read, means everything.
func (a askedRange) storage() (*storage.Range, error) {
	unsatisfiable := codeError(10039, "The requested range is not satisfiable.")
	if a.header != "" {
		m := rangeHeader.FindStringSubmatch(a.header)
		if m == nil || m[1] == "" && m[2] == "" {
			return nil, nil
		}
		first, _ := strconv.ParseInt(m[1], 10, 64)
		last, _ := strconv.ParseInt(m[2], 10, 64)
		switch {
		case m[1] == "" && last == 0:
			return nil, nil
		case m[1] == "":
			return &storage.Range{Suffix: last}, nil
		case m[2] == "":
			return &storage.Range{Offset: first}, nil
		case last < first:
			return nil, nil
		}
		return &storage.Range{Offset: first, Length: last - first + 1}, nil
	}
	r := &storage.Range{}
	for _, x := range []struct {
		value float64
		to    *int64
		least float64
	}{{a.offset, &r.Offset, 0}, {a.length, &r.Length, 1}, {a.suffix, &r.Suffix, 1}} {
		if math.IsNaN(x.value) {
			continue
		}
		if x.value < x.least || x.value > 1<<53 || x.value != math.Trunc(x.value) {
			return nil, unsatisfiable
		}
		*x.to = int64(x.value)
	}
	switch {
	case math.IsNaN(a.offset) && math.IsNaN(a.length) && math.IsNaN(a.suffix):
		return nil, nil
	case r.Suffix > 0 && (r.Offset > 0 || r.Length > 0):
		return nil, typeError("Suffix is incompatible with offset and length.")
	}
	return r, nil
}
