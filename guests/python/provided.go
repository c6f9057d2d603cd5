package python

import (
	"strings"

	"mayfly/host/vfs"
)

// Provided are the packages that the library of a [Layer] has, by name as their
// metadata is named, with their versions.
func Provided(layer *vfs.Layer) (map[string]string, error) {
	entries, err := vfs.New(vfs.Options{Base: layer}).ReadDir(libraryPath)
	if err != nil {
		return nil, err
	}
	provided := map[string]string{}
	for _, e := range entries {
		base, ok := strings.CutSuffix(e.Name, ".dist-info")
		if name, version, found := strings.Cut(base, "-"); ok && found {
			provided[name] = version
		}
	}
	return provided, nil
}
