package quickjs

import (
	"io/fs"
	"strings"
)

// Builtin says whether the guest has the module that a specifier names, as
// node:fs.
func Builtin(specifier string) bool {
	name, ok := strings.CutPrefix(specifier, "node:")
	if !ok || !fs.ValidPath(name) {
		return false
	}
	info, err := fs.Stat(sources, "js/node/"+name+".js")
	return err == nil && info.Mode().IsRegular()
}

// Version is the interpreter's version, "quickjs-ng 0.17.0.2".
func Version() string {
	l, err := parseLock()
	if err != nil {
		panic(err) // never: a test reads the lock, which is part of the program
	}
	source := l.source("quickjs-ng")
	return source.Name + " " + source.Version
}
