package execution

import (
	"time"

	"mayfly/host/vfs"
	"mayfly/host/wasi"
	"mayfly/runtime/isolate"
)

var _ wasi.Host = (*sandbox)(nil)

// WASI implements wasi.Host, for guests that go to the file system themselves.
func (b *sandbox) WASI() *wasi.System { return b.wasi }

// newWASI is the system interface of a sandbox over its files.
func (b *sandbox) newWASI() *wasi.System {
	options := wasi.Options{
		Tree:  b.files,
		Stdin: b.request.Stdin,
		Write: b.writeWASI,
		CPU:   func() time.Duration { return b.iso.CPU() },
		Exit: func(code uint32) {
			b.code = int(int32(code))
			b.iso.Unwind(OK, "the program exited")
		},
	}
	if b.cell != nil && b.cell.From.system != nil {
		return b.cell.From.system.Fork(options)
	}
	return wasi.New(options)
}

// writeWASI takes output that did not come by the write operation, as that of
// C code.
func (b *sandbox) writeWASI(fd int, text []byte) {
	if !b.output.write(fd-1, text) {
		b.iso.Unwind(ExceededOutput, "the program printed more than its limit")
	}
}

// started is called before the first turn.
func (b *sandbox) started(iso *isolate.Isolate) {
	b.iso = iso
	if b.cell != nil && b.cell.Started != nil {
		b.cell.Started(func() { iso.Interrupt(isolate.DefaultGrace) })
	}
}

// base is the guest's own part of the file system; nil if it has none.
func (l *language) base() *vfs.Layer {
	if p := l.installed.Load(); p != nil {
		return p.base
	}
	return nil
}
