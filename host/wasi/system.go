// Package wasi is the system interface of guests that are made for WASI
// preview 1 (wasi_snapshot_preview1, its witx definition): arguments, clocks,
// randomness, and files over a [vfs.Tree]. The state of a System is part of its
// isolate: it is forked, encoded and decoded together with its tree.
//
// The guest is hostile: every number that it passes is checked, and every loop
// is bounded by memory that it has to own or by a limit.
package wasi

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"mayfly/host/vfs"
	"mayfly/runtime/engine"
)

// Resolution is the step of the clocks: coarse, so that they are of little use
// for measuring what neighbours do.
const Resolution = 100 * time.Microsecond

// A Host is what imports expect as the Host of the calling isolate's port.
type Host interface {
	// WASI is the isolate's system. It must not be nil.
	WASI() *System
}

// Options configure a System. Only Tree is needed.
type Options struct {
	Tree  *vfs.Tree // the System changes it
	Stdin []byte    // must not change
	// Write takes what the guest writes to stdout (1) and stderr (2), at most
	// 1 MiB at once, valid during the call. It may unwind the guest. Nil drops
	// it.
	Write func(fd int, b []byte)
	Args  []string
	Env   []string         // as "NAME=value"
	Now   func() time.Time // with a monotonic reading; default time.Now
	// Uptime is what the monotonic clock shows at first, and what it goes on
	// from; 0 stands for one hour, so that no clone's clock is behind that of
	// the image that it was made from.
	Uptime time.Duration
	CPU    func() time.Duration // processor time used; default: the time since the System was made
	Random io.Reader            // cryptographically strong; default crypto/rand
	// Exit is called when the guest exits. It unwinds the guest by a panic with
	// an [engine.Stop]; if it returns, or is nil, the cause is an [ExitError].
	Exit func(code uint32)
}

// A System answers the imports of one isolate. It is not safe for concurrent
// use.
type System struct {
	options Options
	tree    *vfs.Tree
	files   []file // by descriptor
	stdin   int    // bytes of it that were read
	start   time.Time
	call    call // the one under way, kept here so that none is allocated
}

// ExitError is why a guest was stopped that exited.
type ExitError struct{ Code uint32 }

func (e *ExitError) Error() string { return fmt.Sprintf("the guest exited with code %d", e.Code) }

// Errors of imports that were called without what they need. They are bugs of
// the host.
var errNoHost = errors.New("wasi: the isolate has no system interface")

// New makes a system with its first files: 0, 1 and 2 are the standard streams,
// 3 is the directory "/", under which libc finds all paths.
func New(options Options) *System {
	s := newSystem(options)
	s.files = make([]file, firstFree, 16)
	s.files[0] = file{kind: streamIn, rights: rightsAll}
	s.files[1] = file{kind: streamOut, ino: 1, rights: rightsAll}
	s.files[2] = file{kind: streamOut, ino: 2, rights: rightsAll}
	s.files[preopened] = file{kind: directory, ino: vfs.Root, rights: rightsAll, inheriting: rightsAll}
	s.tree.Hold(vfs.Root)
	return s
}

func newSystem(options Options) *System {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Uptime == 0 {
		options.Uptime = time.Hour
	}
	if options.Random == nil {
		options.Random = rand.Reader
	}
	if options.Write == nil {
		options.Write = func(int, []byte) {}
	}
	return &System{options: options, tree: options.Tree, start: options.Now()}
}

// Tree is the file tree that the system works on.
func (s *System) Tree() *vfs.Tree { return s.tree }

// Fork makes a system with the same open files and new options, for a copy of
// the isolate: options.Tree must be a fork of this system's tree, made since
// the last call of either. For the isolate's own next life it may be the tree
// itself; then this system must not be used again. The monotonic clock goes on
// from this one's unless options.Uptime is set.
func (s *System) Fork(options Options) *System {
	if options.Uptime == 0 {
		options.Uptime = s.Uptime()
	}
	f := newSystem(options)
	f.files = append(make([]file, 0, len(s.files)), s.files...)
	return f
}

// Uptime is what the monotonic clock shows.
func (s *System) Uptime() time.Duration {
	age := max(s.options.Now().Sub(s.start), 0)
	return s.options.Uptime + min(age, math.MaxInt64-s.options.Uptime)
}

// OpenFiles is how many descriptors are in use.
func (s *System) OpenFiles() int {
	n := 0
	for i := range s.files {
		if s.files[i].kind != free {
			n++
		}
	}
	return n
}

// exit ends the guest.
func (s *System) exit(code uint32) {
	if s.options.Exit != nil {
		s.options.Exit(code)
	}
	panic(engine.Stop{Cause: &ExitError{Code: code}})
}
