package python

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"mayfly/host/op"
	"mayfly/host/vfs"
	"mayfly/host/wasi"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// bootEnvironment is what the interpreter finds as it starts; a life's own
// variables are set by the agent, over these.
var bootEnvironment = []string{
	"HOME=" + vfs.DefaultCwd, "TMPDIR=/tmp", "LANG=C.UTF-8", "PYTHONTZPATH=", "MPLBACKEND=Agg", "MPLCONFIGDIR=/tmp/matplotlib",
}

// bootArgs are the arguments of the interpreter, of which the first is where it
// looks for its library.
var bootArgs = []string{"/usr/local/bin/python.wasm"}

// bootSteps are the sources that make the image, each a turn. What the agent
// prints on stdout meanwhile are steps, see bootPort.
var bootSteps = []struct{ name, source string }{
	{"importing the agent", "import sys\nsys.path.append('" + agentPath + "')\nimport _mayfly.entry as __agent__\n"},
	{"importing packages", "__agent__.boot()\n"},
}

// A BootError is an error of the agent's own Python while it boots.
type BootError struct {
	Step, Output string
	Err          error
}

func (e *BootError) Error() string {
	return fmt.Sprintf("python: %s failed: %v\n%s", e.Step, e.Err, e.Output)
}

func (e *BootError) Unwrap() error { return e.Err }

// bootTime is what the clock shows while the guest boots, in nanoseconds of
// Unix time: no life is told of it.
var bootTime = time.Unix(1767225600, 0)

// boot runs the guest from its stage-0 image to the point where the image for
// all lives is taken. Nothing of time, randomness or a system gets into it: its
// clock starts at a fixed time and moves with each look at it, its randomness is
// a fixed sequence.
func (m *machine) boot(layer *vfs.Layer, progress isolate.Progress) error {
	port := &bootPort{progress: progress}
	now := bootTime
	clock := func() time.Time {
		now = now.Add(time.Microsecond)
		return now
	}
	port.system = wasi.New(wasi.Options{
		Tree:   vfs.New(vfs.Options{Base: layer, Now: clock}), // times of files are the image's, too
		Args:   bootArgs,
		Env:    bootEnvironment,
		Write:  port.write,
		Now:    clock,
		Uptime: time.Second,
		CPU:    func() time.Duration { return now.Sub(bootTime) },
		Random: rand.NewChaCha8([32]byte([]byte("the image holds no secret at all"))),
	})
	data := m.instance.Data()
	m.instance.SetData(isolate.Port(port))
	defer m.instance.SetData(data)
	m.probe = &probe{}
	defer func() { m.probe = nil }()
	m.pagesLimit.Set(uint64(len(m.memory)) / engine.PageSize)

	initialize, err := m.instance.Function("_initialize")
	if err != nil {
		return err
	}
	if err := m.call(initialize, m.stack[:]); err != nil {
		return port.error("the start of the interpreter", err)
	}
	for _, step := range bootSteps {
		progress(step.name, -1)
		if err := m.run(step.source); err != nil {
			return port.error(step.name, err)
		}
	}
	return nil
}

// bootPort is what the guest can reach while it boots: files, a clock that
// stands still, and a way to say how far it is.
type bootPort struct {
	isolate.BootPort
	system   *wasi.System
	progress isolate.Progress
	line     []byte       // of stdout, unfinished
	output   bytes.Buffer // of stderr
}

var _ wasi.Host = (*bootPort)(nil)

// Host is the port itself, which has the system interface.
func (p *bootPort) Host() any { return p }

// WASI implements wasi.Host.
func (p *bootPort) WASI() *wasi.System { return p.system }

// Pause does nothing: time moves by itself.
func (p *bootPort) Pause(time.Duration) {}

// Call answers what the image may hold: output, and the clock of the boot.
func (p *bootPort) Call(number uint32, in, out []byte) ([]byte, bool) {
	switch op.Op(number) {
	case op.Write:
		r := op.NewReader(in)
		fd, text := r.U8(), r.Bytes()
		if r.Done() == nil {
			p.write(int(fd), text)
		}
		return nil, true
	case op.Clock:
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(out[:0], 0), 0), true
	}
	return op.EncodeError(&op.ErrorRecord{Name: "RuntimeError", Message: op.Op(number).String() + " was asked for while booting"}), false
}

// maxBootOutput bounds what is kept of a failed boot's output, in bytes.
const maxBootOutput = 64 << 10

// write takes output. Lines of stdout are steps: "warm", how far the boot is as
// a fraction like 3/10, and a name.
func (p *bootPort) write(fd int, b []byte) {
	if fd != 1 {
		p.output.Write(b[:min(len(b), max(maxBootOutput-p.output.Len(), 0))])
		return
	}
	p.line = append(p.line, b[:min(len(b), maxBootOutput)]...)
	for {
		line, rest, ok := bytes.Cut(p.line, []byte("\n"))
		if !ok {
			return
		}
		var step, steps float64
		if n, _ := fmt.Sscanf(string(line), "warm %g/%g", &step, &steps); n == 2 && steps > 0 {
			p.progress("warming up Python", step/steps)
		}
		p.line = append(p.line[:0], rest...)
	}
}

func (p *bootPort) error(step string, err error) error {
	return &BootError{Step: step, Output: strings.TrimSpace(p.output.String()), Err: err}
}
