package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-sourcemap/sourcemap"
)

// A Map leads from transformed code back to its source (ECMA-426).
type Map struct {
	consumer *sourcemap.Consumer
	// many says that the code was made of several sources, which the map names.
	many bool
}

// maxMap is the largest source map that is read, in bytes.
const maxMap = 64 << 20

// ParseMap reads the source map of a bundle, as [Output] has them. It is nil for
// one that maps nothing.
//
// # Errors
//
// Those of a map that is malformed.
func ParseMap(encoded []byte) (*Map, error) {
	if len(encoded) > maxMap {
		return nil, fmt.Errorf("bundle: a source map of %d bytes is too large", len(encoded))
	}
	var outline struct {
		Sources  []string
		Mappings string
		Sections json.RawMessage
	}
	if err := json.Unmarshal(encoded, &outline); err != nil {
		return nil, fmt.Errorf("bundle: a source map is malformed: %w", err)
	}
	if outline.Sections != nil {
		return nil, errors.New("bundle: source maps of sections are not read")
	}
	if err := checkMappings(outline.Mappings, len(outline.Sources)); err != nil {
		return nil, err
	}
	m, err := newMap("", encoded)
	if m != nil {
		m.many = true
	}
	return m, err
}

// newMap is nil for code without a statement, which has nothing to map.
func newMap(name string, encoded []byte) (*Map, error) {
	var m struct{ Mappings string }
	if err := json.Unmarshal(encoded, &m); err != nil {
		return nil, err
	}
	if m.Mappings == "" {
		return nil, nil
	}
	c, err := sourcemap.Parse(name, encoded)
	if err != nil {
		return nil, err
	}
	return &Map{consumer: c}, nil
}

// checkMappings holds that mappings lead to sources that there are: the library
// trusts them. They are groups for lines, separated by semicolons, of segments,
// separated by commas, of numbers in base 64 (ECMA-426, "Mappings"); the second
// of a segment adds to the index of its source.
func checkMappings(mappings string, sources int) error {
	var source, field, number, shift int64
	for i := 0; i < len(mappings); i++ {
		c := mappings[i]
		if c == ',' || c == ';' {
			if shift > 0 {
				return errMappings
			}
			field = 0
			continue
		}
		digit := int64(strings.IndexByte(base64Digits, c))
		if digit < 0 || shift > 30 {
			return errMappings
		}
		number |= digit & 31 << shift
		shift += 5
		if digit&32 != 0 {
			continue
		}
		if field == 1 {
			if number&1 != 0 {
				number = -number
			}
			if source += number / 2; source < 0 || source >= int64(sources) {
				return errMappings
			}
		}
		field, number, shift = field+1, 0, 0
	}
	return nil
}

var errMappings = errors.New("bundle: the mappings of a source map are malformed")

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// Source is the position in the source of a position in the code; lines and
// columns count from 1. ok is false for code that has no source.
func (m *Map) Source(line, column int) (sourceLine, sourceColumn int, ok bool) {
	_, sourceLine, sourceColumn, ok = m.Position(line, column)
	return sourceLine, sourceColumn, ok
}

// Position is Source with the name of the source file; that is empty if the map
// is of one file.
func (m *Map) Position(line, column int) (file string, sourceLine, sourceColumn int, ok bool) {
	file, _, l, c, ok := m.consumer.Source(line, column-1)
	if !m.many {
		file = ""
	}
	return file, l, c + 1, ok
}

// position matches a place in a stack trace, as "lib/a.ts:12:5".
var position = regexp.MustCompile(`([^\s()]+):(\d+):(\d+)`)

// MapStack rewrites the places of a stack trace that lie in transformed files.
func MapStack(stack string, maps map[string]*Map) string {
	if len(maps) == 0 {
		return stack
	}
	return position.ReplaceAllStringFunc(stack, func(place string) string {
		p := position.FindStringSubmatch(place)
		m := maps[p[1]]
		if m == nil {
			return place
		}
		line, err1 := strconv.Atoi(p[2])
		column, err2 := strconv.Atoi(p[3])
		if err1 != nil || err2 != nil {
			return place
		}
		file, l, c, ok := m.Position(line, column)
		if !ok {
			return place
		}
		if file == "" {
			file = p[1]
		}
		return fmt.Sprintf("%s:%d:%d", file, l, c)
	})
}
