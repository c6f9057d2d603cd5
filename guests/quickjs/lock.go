package quickjs

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"mayfly/guests/registry"
)

// ErrPlatform: there is no toolchain for this operating system and processor
// among the packages.
var ErrPlatform = errors.New("quickjs: no toolchain for this platform")

//go:embed lock.json
var lockText []byte

// A lock is lock.json.
type lock struct {
	Comment   string             `json:"comment"`
	Sources   []registry.Package `json:"sources"`
	Toolchain struct {
		Name      string `json:"name"`
		Version   string `json:"version"`
		Platforms map[string]struct {
			Tag    string `json:"tag"`
			SHA256 string `json:"sha256"`
		} `json:"platforms"`
	} `json:"toolchain"`
}

func parseLock() (*lock, error) {
	decoder := json.NewDecoder(bytes.NewReader(lockText))
	decoder.DisallowUnknownFields()
	var l lock
	if err := decoder.Decode(&l); err != nil {
		return nil, fmt.Errorf("quickjs: lock.json: %w", err)
	}
	return &l, nil
}

func (l *lock) source(name string) registry.Package {
	for _, p := range l.Sources {
		if p.Name == name {
			return p
		}
	}
	panic("quickjs: lock.json lacks " + name) // never: a test reads it
}

// toolchain is the wheel for a platform, named as Go does.
func (l *lock) toolchain(system, processor string) (registry.Package, error) {
	p, ok := l.Toolchain.Platforms[system+"/"+processor]
	if !ok {
		return registry.Package{}, fmt.Errorf("%w: %s/%s", ErrPlatform, system, processor)
	}
	return registry.Package{Name: l.Toolchain.Name, Version: l.Toolchain.Version, SHA256: p.SHA256, Tag: p.Tag}, nil
}

// hostToolchain is the toolchain for the machine that this runs on.
func hostToolchain(l *lock) (registry.Package, error) {
	return l.toolchain(runtime.GOOS, runtime.GOARCH)
}

// packages is the folder of the cache directory where packages are unpacked.
func packages(cache string) string { return filepath.Join(cache, "quickjs", "packages") }
