package api

import (
	"fmt"
	"path"
	"strings"
)

// badPath says what is wrong with the path of a file, or nothing. Whatever is
// left is inside the execution's own file system.
func badPath(name string) string {
	switch {
	case name == "":
		return "must not be empty"
	case len(name) > maxPathLength:
		return fmt.Sprintf("must not be longer than %d bytes", maxPathLength)
	case strings.IndexByte(name, 0) >= 0:
		return "must not hold a NUL"
	case strings.HasSuffix(name, "/"), path.Clean(name) == ".":
		return "must name a file"
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == ".." {
			return "must not hold '..'"
		}
	}
	return ""
}

func validTenant(name string) bool {
	if name == "" || len(name) > maxTenantLength {
		return false
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

// escapePointer escapes a name for a JSON pointer (RFC 6901 section 3).
func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// nearest is the known name that a typing error or two away is name, if any.
func nearest(name string, known []string) string {
	best, distance := "", min(3, len(name)/2+1)
	for _, k := range known {
		if n := editDistance(strings.ToLower(name), k, distance); n < distance {
			best, distance = k, n
		}
	}
	return best
}

// editDistance is the Levenshtein distance of a and b, or anything that is at
// least most if it is not below most.
func editDistance(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
