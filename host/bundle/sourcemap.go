package bundle

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"

	"github.com/go-sourcemap/sourcemap"
)

// A Map leads from transformed code back to its source (ECMA-426).
type Map struct{ consumer *sourcemap.Consumer }

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
	return &Map{c}, nil
}

// Source is the position in the source of a position in the code; lines and
// columns count from 1. ok is false for code that has no source.
func (m *Map) Source(line, column int) (sourceLine, sourceColumn int, ok bool) {
	_, _, l, c, ok := m.consumer.Source(line, column-1)
	return l, c + 1, ok
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
		l, c, ok := m.Source(line, column)
		if !ok {
			return place
		}
		return fmt.Sprintf("%s:%d:%d", p[1], l, c)
	})
}
