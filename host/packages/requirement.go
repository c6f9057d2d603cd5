package packages

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// maxRequirements is how many one request may have.
const maxRequirements = 32

// A requirement pins a package: name==version, with extras perhaps (PEP 508,
// PEP 440). Only what names one version is taken, so that a request means the
// same tomorrow.
var requirementPattern = regexp.MustCompile(
	`^([A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?)((?:\[[A-Za-z0-9._-]+(?:,[A-Za-z0-9._-]+)*\])?)==((?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*(?:[A-Za-z0-9.+-]*[A-Za-z0-9])?)$`)

var separators = regexp.MustCompile(`[-_.]+`)

// Normalize is a package's name as names are compared (PEP 503).
func Normalize(name string) string {
	return strings.ToLower(separators.ReplaceAllString(name, "-"))
}

// A wheel's file name (Binary distribution format, file name convention).
var wheelPattern = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._]*[A-Za-z0-9])?)-([A-Za-z0-9_.!+]+)(?:-[0-9][A-Za-z0-9_.]*)?-([A-Za-z0-9_.]+)-([A-Za-z0-9_.]+)-([A-Za-z0-9_.]+)\.whl$`)

type wheelName struct {
	name, version string // name normalized
	native        bool
}

func parseWheelName(file string) (wheelName, error) {
	m := wheelPattern.FindStringSubmatch(file)
	if m == nil || len(file) > 250 {
		return wheelName{}, fmt.Errorf("%q is not the name of a wheel, as name-1.0-py3-none-any.whl", file)
	}
	python := slices.ContainsFunc(strings.Split(m[3], "."), func(tag string) bool { return strings.HasPrefix(tag, "py3") || strings.HasPrefix(tag, "cp3") })
	return wheelName{Normalize(m[1]), m[2], m[4] != "none" || m[5] != "any" || !python}, nil
}

// A set is the packages of one request, checked.
type set struct {
	key    string
	pins   []pin // sorted, without what the guest has
	wheels []Wheel
}

type pin struct {
	index                 int // in the request
	name, extras, version string
}

func (p pin) String() string { return p.name + p.extras + "==" + p.version }

// Check says what is wrong with requirements, before anything is fetched. path
// is called for the paths of wheels.
func (s *Store) Check(requirements []string) error {
	_, err := s.parse(requirements, nil)
	return err
}

// parse checks requirements. Without a function for wheels their contents are
// not looked at.
func (s *Store) parse(requirements []string, wheel func(path string) ([]byte, error)) (*set, error) {
	if len(requirements) > maxRequirements {
		return nil, &RequestError{-1, fmt.Sprintf("at most %d packages can be asked for", maxRequirements)}
	}
	r := &set{}
	seen := map[string]int{}
	for i, text := range requirements {
		var name string
		if strings.HasPrefix(text, "./") || strings.HasPrefix(text, "/") {
			file := path.Base(text)
			w, err := parseWheelName(file)
			if err != nil {
				return nil, &RequestError{i, err.Error()}
			}
			if w.native {
				return nil, &RequestError{i, nativeReason(file)}
			}
			name = w.name
			if wheel != nil {
				content, err := wheel(text)
				if err != nil {
					return nil, &RequestError{i, fmt.Sprintf("%s is not among files", text)}
				}
				r.wheels = append(r.wheels, Wheel{file, content})
			}
		} else {
			m := requirementPattern.FindStringSubmatch(text)
			if m == nil || len(text) > 200 {
				return nil, &RequestError{i, fmt.Sprintf("%q is not a package with its version, as six==1.17.0, nor the path of a wheel among files, as ./name-1.0-py3-none-any.whl", text)}
			}
			version := m[3]
			name = Normalize(m[1])
			if has, ok := s.config.Provided[name]; !ok || !sameVersion(has, version) {
				if ok {
					return nil, &RequestError{i, fmt.Sprintf("%s is part of the sandbox in version %s: leave it out, or ask for that version", name, has)}
				}
				r.pins = append(r.pins, pin{i, name, strings.ToLower(m[2]), version})
			}
		}
		if _, ok := s.config.Provided[name]; ok && strings.HasSuffix(text, ".whl") {
			return nil, &RequestError{i, fmt.Sprintf("%s is part of the sandbox in version %s: it can't be replaced", name, s.config.Provided[name])}
		}
		if j, ok := seen[name]; ok {
			return nil, &RequestError{i, fmt.Sprintf("%s was asked for already (packages[%d])", name, j)}
		}
		seen[name] = i
	}
	slices.SortFunc(r.pins, func(a, b pin) int { return strings.Compare(a.name, b.name) })
	slices.SortFunc(r.wheels, func(a, b Wheel) int { return strings.Compare(a.Name, b.Name) })
	digest := sha256.New()
	digest.Write(s.salt[:])
	for _, p := range r.pins {
		fmt.Fprintln(digest, p)
	}
	for _, w := range r.wheels {
		fmt.Fprintf(digest, "%s %x\n", w.Name, sha256.Sum256(w.Content))
	}
	r.key = hex.EncodeToString(digest.Sum(nil)[:16])
	return r, nil
}

// sameVersion compares versions as far as releases go: 1.0 is 1.0.0 (PEP 440).
func sameVersion(a, b string) bool {
	trim := func(v string) string {
		for strings.HasSuffix(v, ".0") {
			v = strings.TrimSuffix(v, ".0")
		}
		return strings.ToLower(v)
	}
	return trim(a) == trim(b)
}

func nativeReason(what string) string {
	return what + " needs native code, which can't run in the sandbox: only pure-Python packages can be added"
}
