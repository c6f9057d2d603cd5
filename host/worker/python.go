package worker

import (
	"crypto/rand"
	"errors"
	"path"
	"time"

	"mayfly/host/op"
	"mayfly/host/vfs"
	"mayfly/host/wasi"
	"mayfly/runtime/isolate"
)

// pythonPath is where the modules of a Python worker are, as files: the place
// that Workers has for them, too.
const pythonPath = "/session/metadata"

// startLimitPython is startLimit for Python: packages are compiled when they are
// imported, once for a worker's code.
var startLimitPython = 20 * time.Second

// blockingInstances is how many instances a worker may have whose code has
// blocked: what comes to one that does is served inside of what waits there, which
// can't go on before it has blocked or ended, too. So each event has one for
// itself, as long as there are no more of them.
var blockingInstances = 32

// Blocked implements isolate.ResidentHost.
func (in *instance) Blocked() { in.worker.blocks.Store(true) }

// mountModules makes the modules of a Python worker files. Content is shared.
func (in *instance) mountModules(tree *vfs.Tree) {
	code := in.worker.def.Code
	for name, m := range code.Modules {
		p := path.Clean("/" + name)
		if p == "/" {
			continue // a name that is no path is no file
		}
		if err := tree.MountFile(pythonPath+p, m.Content); err != nil {
			in.service.log.Debug("a module of a worker can't be a file", "worker", in.worker.def.Name, "module", name, "err", err)
		}
	}
}

// WASI implements wasi.Host, for guests that go to the system themselves.
func (in *instance) WASI() *wasi.System {
	if in.system == nil {
		in.system = wasi.New(wasi.Options{
			Tree:   in.tree(),
			Write:  func(fd int, text []byte) { in.write(uint8(fd), trimLine(text)) },
			Now:    in.now,
			Random: randomness{in},
			CPU:    func() time.Duration { return in.iso.CPU() },
			Exit: func(uint32) {
				in.iso.Unwind(isolate.Exception, "the program exited")
			},
		})
	}
	return in.system
}

// trimLine is a line without its end: it is a message by itself.
func trimLine(text []byte) []byte {
	if n := len(text); n > 0 && text[n-1] == '\n' {
		return text[:n-1]
	}
	return text
}

// now is the time; while modules are evaluated there is none.
func (in *instance) now() time.Time {
	if in.evaluating {
		return time.Unix(0, 0)
	}
	return time.Now()
}

// randomness is what the system interface gives of it: nothing, while modules
// are evaluated.
type randomness struct{ in *instance }

var errNoRandomness = errors.New("there is no randomness while modules are evaluated")

func (r randomness) Read(b []byte) (int, error) {
	if r.in.evaluating {
		return 0, errNoRandomness
	}
	return rand.Read(b)
}

// broken is what the guest says, or is said for it, when it can't answer any
// more: of an event that it serves.
func (in *instance) broken(e *op.ErrorRecord) {
	if event := in.turn(); event != nil {
		event.end(isolate.Exception, e, true)
	}
}
