package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// A Package is what counts of a package.json (Node.js, "Modules: Packages").
type Package struct {
	Name    string  `json:"name"`
	Type    string  `json:"type"`
	Main    string  `json:"main"`
	Module  string  `json:"module"`
	Exports *Target `json:"exports"`
	Imports *Target `json:"imports"`
}

// Export is the file that a package offers for a subpath, under conditions.
func (p *Package) Export(subpath string, conditions []string) (string, bool) {
	t := p.Exports
	if len(t.names) > 0 && strings.HasPrefix(t.names[0], ".") {
		return t.Match(subpath, conditions)
	}
	if subpath != "." {
		return "", false
	}
	return t.pick(conditions, "")
}

// A Target is what an entry of exports or imports leads to: a path, nothing,
// alternatives, or by name, in the order of the file.
type Target struct {
	path   string
	names  []string
	values []*Target // of the names, or if there are none the alternatives
	isPath bool
	isNull bool
}

// UnmarshalJSON keeps the order of objects: the first condition that holds
// counts.
func (t *Target) UnmarshalJSON(b []byte) error { return t.decode(b, 0) }

// maxTargetDepth is how deep conditions may lie in each other.
const maxTargetDepth = 32

var errTarget = errors.New("a target of exports or imports is malformed")

func (t *Target) decode(b []byte, depth int) error {
	if depth > maxTargetDepth {
		return errTarget
	}
	switch b = bytes.TrimSpace(b); {
	case bytes.Equal(b, []byte("null")), bytes.Equal(b, []byte("false")):
		t.isNull = true
		return nil
	case b[0] == '"':
		t.isPath = true
		return json.Unmarshal(b, &t.path)
	case b[0] == '[':
		var items []json.RawMessage
		if err := json.Unmarshal(b, &items); err != nil {
			return err
		}
		for _, item := range items {
			value := &Target{}
			if err := value.decode(item, depth+1); err != nil {
				return err
			}
			t.values = append(t.values, value)
		}
		return nil
	case b[0] != '{':
		return errTarget
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		value := &Target{}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		if err := value.decode(raw, depth+1); err != nil {
			return err
		}
		t.names = append(t.names, name.(string))
		t.values = append(t.values, value)
	}
	return nil
}

// pick is the path that a target leads to under conditions; found is false if
// it leads nowhere. star replaces the asterisks of patterns.
func (t *Target) pick(conditions []string, star string) (p string, found bool) {
	switch {
	case t == nil || t.isNull:
		return "", false
	case t.isPath:
		return strings.ReplaceAll(t.path, "*", star), true
	case len(t.names) == 0:
		for _, v := range t.values {
			if p, found = v.pick(conditions, star); found {
				return p, true
			}
		}
		return "", false
	}
	for i, name := range t.names {
		if !slices.Contains(conditions, name) {
			continue
		}
		if p, found = t.values[i].pick(conditions, star); found || t.values[i].isNull {
			return p, found
		}
	}
	return "", false
}

// Match finds the entry for a subpath (".", "./x", "#x"), by its name or by the
// pattern with the longest text before its asterisk.
func (t *Target) Match(subpath string, conditions []string) (p string, found bool) {
	best, star := -1, ""
	for i, name := range t.names {
		if name == subpath {
			return t.values[i].pick(conditions, "")
		}
		before, after, pattern := strings.Cut(name, "*")
		if !pattern || len(subpath) < len(before)+len(after) || !strings.HasPrefix(subpath, before) || !strings.HasSuffix(subpath, after) {
			continue
		}
		if best < 0 || len(before) > strings.Index(t.names[best], "*") {
			best, star = i, subpath[len(before):len(subpath)-len(after)]
		}
	}
	if best < 0 {
		return "", false
	}
	return t.values[best].pick(conditions, star)
}

// Closed says that the target is null: there is nothing.
func (t *Target) Closed() bool { return t.isNull }
