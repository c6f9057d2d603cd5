package execution

import (
	"fmt"
	"time"

	"mayfly/host/binding"
	"mayfly/host/egress"
	"mayfly/host/fetch"
	"mayfly/host/op"
	"mayfly/host/platform"
	"mayfly/host/system"
	"mayfly/host/timer"
	"mayfly/host/vfs"
	"mayfly/host/wasi"
	"mayfly/runtime/isolate"
)

// A sandbox is what one execution's guest can reach: the isolate's Host.
type sandbox struct {
	service  *Service
	language *language
	request  *Request
	cell     *Cell // nil: an execution of its own
	limits   Limits
	listener func(Event)
	seq      int64

	files    *vfs.Tree
	mounted  map[string][]byte // the request's files, by absolute path
	modules  modules
	output   output
	platform *platform.Platform
	wasi     *wasi.System     // nil for guests that have no use for it
	iso      *isolate.Isolate // from its start on
	policy   *egress.Policy   // nil refuses everything
	network  *fetch.Session   // made when first used
	timers   timer.Timers

	env      Bound
	bindings *binding.Session // made when first used

	value    value
	displays displays
	failed   *Error // what nobody caught; nil if nothing
	memory   bool   // failed for want of memory
	code     int    // exit code, if the program exited
}

// value is a program's result as the guest gave it.
type value struct {
	kind byte // of the result operation
	typ  string
	data []byte
}

// Kinds of results, as the result operation has them.
const (
	resultNone = iota
	resultJSON
	resultText
)

func newSandbox(s *Service, l *language, r *Request, limits Limits, c *Cell, base *vfs.Layer, listener func(Event)) *sandbox {
	b := &sandbox{
		service: s, language: l, request: r, limits: limits, cell: c, listener: listener,
		files: c.tree(base, limits),
	}
	b.platform = platform.New(platform.Options{
		System: system.Options{Uptime: c.uptime()}, Files: func() *vfs.Tree { return b.files }, Compiler: &s.webassembly, CPU: limits.CPU,
	})
	b.output.limit = limits.OutputBytes
	if listener != nil {
		b.output.pass = b.passOutput
		b.output.passed = time.Now()
	}
	b.modules = modules{
		cwd: b.files.Cwd(), builtin: l.Builtin, transformer: s.transformer,
		read: b.files.Read,
		exists: func(name string) bool {
			info, err := b.files.Stat(name)
			return err == nil && info.Kind == vfs.File
		},
	}
	if l.Dialect.directs {
		b.wasi = b.newWASI()
	}
	return b
}

// close ends what may still be under way. The isolate no longer runs.
func (b *sandbox) close() {
	if b.network != nil {
		b.network.Close()
	}
	if b.bindings != nil {
		b.bindings.Close()
	}
	if err := b.platform.Close(); err != nil {
		b.service.config.Log.Error("modules of a program could not be closed", "err", err)
	}
	b.timers.Close()
}

// emit passes an event to who listens, after the output that came before it.
func (b *sandbox) emit(e Event) {
	if b.listener != nil {
		b.output.finish()
		b.send(e)
	}
}

func (b *sandbox) passOutput(fd int, text string) {
	if fd == 0 {
		b.send(Event{Stdout: text})
	} else {
		b.send(Event{Stderr: text})
	}
}

func (b *sandbox) send(e Event) {
	b.seq++
	e.Seq, e.Time = b.seq, time.Now()
	b.listener(e)
}

// program is the run event for the request's program. ok is false if there is
// a mistake in its source: it is noted as the error that nobody caught.
func (b *sandbox) program() (message []byte, ok bool) {
	r := b.request
	run := op.RunMessage{
		AllowEval: b.service.config.AllowEval, Name: b.language.Dialect.inline(r.Language), Source: r.Code,
		Input: r.Input, Args: r.Args, Dir: b.files.Cwd(),
	}
	if b.cell != nil {
		run.Name = b.cell.name(run.Name)
		b.modules.whole = true
	}
	if r.Entrypoint != "" {
		file := absolutePath(r.Entrypoint)
		run.Name = b.modules.relative(file)
		content, err := b.files.Read(file)
		if err != nil {
			b.failed = sourceError(err)
			return nil, false
		}
		run.Source = string(content)
	}
	var err error
	if run.Source, run.Kind, err = b.language.Dialect.ready(&b.modules, run.Name, run.Source); err != nil {
		b.failed = sourceError(err)
		return nil, false
	}
	run.Env = b.language.Dialect.environment(r.Env, run.Dir)
	return run.Encode(), true
}

// Call implements isolate.Host.
func (b *sandbox) Call(iso *isolate.Isolate, number uint32, in, out []byte) ([]byte, bool) {
	r := op.NewReader(in)
	w := op.NewWriter(out)
	var err error
	switch o := op.Op(number); o {
	case op.Write:
		fd, text := r.U8(), r.Bytes()
		if err = r.Done(); err == nil && fd != 1 && fd != 2 {
			err = op.ErrMessage
		}
		if err == nil && !b.output.write(int(fd)-1, text) {
			iso.Unwind(ExceededOutput, "the program printed more than its limit")
		}
	case op.Result:
		kind, typ, data := r.U8(), r.Str(), r.Bytes()
		if err = r.Done(); err != nil || kind > resultText {
			break
		}
		if b.output.used+int64(len(data)) > b.limits.OutputBytes {
			b.value = value{kind: resultNone, typ: typ}
			iso.Unwind(ExceededOutput, "the result is larger than what the output limit leaves")
		}
		b.value = value{kind, typ, append([]byte(nil), data...)}
	case op.Display:
		var room bool
		if room, err = b.display(in); !room {
			iso.Unwind(ExceededOutput, "the program showed more than its output limit")
		}
	case op.Fail:
		r.U8()
		var e *op.ErrorRecord
		if e, err = op.ReadError(r); err == nil {
			b.fail(e)
		}
	case op.Exit:
		b.code = int(int32(r.U32()))
		if b.cell == nil { // in a cell the guest ends by itself, so that its state stays
			iso.Unwind(OK, "the program exited")
		}
	case op.Resolve, op.RequireResolve:
		referrer, specifier := r.Str(), r.Str()
		if err = r.Done(); err != nil {
			break
		}
		var name string
		if name, err = b.modules.resolveFor(referrer, specifier, o == op.RequireResolve); err == nil {
			w.Str(name)
		}
	case op.Load:
		name, attribute := r.Str(), r.Str()
		if err = r.Done(); err != nil {
			break
		}
		var kind byte
		var source []byte
		if kind, source, err = b.modules.load(name, attribute); err == nil {
			w.U8(kind)
			w.Bytes(source)
		}
	case op.Stdin:
		w.Raw(b.request.Stdin)
	case op.Cancel:
		b.cancel(iso, r.U32())
	case op.BodyCancel:
		switch handle := r.U32(); {
		case binding.OwnsBody(handle):
			b.bound().CancelBody(handle)
		case b.network != nil:
			b.network.CancelBody(handle)
		}
	case op.Bindings:
		b.bound().Describe(w)
	default:
		var answer []byte
		if answer, err = b.platform.Call(iso, o, in, out); err == nil {
			return answer, true
		}
	}
	if err != nil {
		return op.EncodeError(errorRecord(err)), false
	}
	return w.Message(), true
}

// Start implements isolate.Host.
func (b *sandbox) Start(iso *isolate.Isolate, number, id uint32, in []byte) {
	switch o := op.Op(number); o {
	case op.Sleep:
		delay := op.NewReader(in).F64()
		b.timers.Start(iso, id, timer.Delay(delay))
	case op.Fetch, op.BodyRead, op.BodyWrite, op.Connect, op.Websocket, op.WebsocketSend, op.WebsocketReceive, op.WebsocketClose:
		if b.isBinding(o, in) {
			b.bound().Start(o, id, in)
		} else {
			b.net().Start(o, id, in)
		}
	case op.Binding:
		b.startBinding(id, in)
	default:
		iso.Settle(id, false, op.EncodeError(&op.ErrorRecord{Name: "TypeError", Message: "unknown operation " + o.String()}))
	}
}

// Settled implements isolate.Host.
func (b *sandbox) Settled(uint32) {}

// cancel drops a pending operation, which may have settled meanwhile.
func (b *sandbox) cancel(iso *isolate.Isolate, id uint32) {
	iso.Forget(id)
	if b.timers.Stop(id) {
		return
	}
	if b.network != nil {
		b.network.Cancel(id)
	}
	if b.bindings != nil {
		b.bindings.Cancel(id)
	}
}

// net is the session with the network.
func (b *sandbox) net() *fetch.Session {
	if b.network == nil {
		b.network = b.service.client.NewSession(fetch.Options{
			Tenant: b.request.Tenant,
			Policy: b.policy,
			Limits: fetch.Limits{Subrequests: b.limits.Subrequests, Open: b.limits.Operations},
			Settle: b.iso.Settle,
			Bodies: b.cell.bodies(),
			Secret: b.secret,
		})
	}
	return b.network
}

// Flush implements isolate.Host.
func (b *sandbox) Flush() { b.output.flush() }

// Refuse implements isolate.Host.
func (b *sandbox) Refuse(limit int) []byte {
	return op.EncodeError(&op.ErrorRecord{
		Name: "Error", Code: "ERR_TOO_MANY_OPERATIONS",
		Message: fmt.Sprintf("Too many pending operations (limit %d): await some of them, or ask for more with limits.operations", limit),
	})
}
