package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mayfly/guests/quickjs"
	"mayfly/host/op"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
	"mayfly/runtime/wasm"
)

// bench is one run of the program.
type bench struct {
	quick, cold bool
	count       int    // executions of the soak
	cache       string // directory
	mayfly      string // path of the program that is measured

	engine    engine.Engine
	program   *isolate.Program // prepared when first asked for
	unmetered *isolate.Program // the same without the fuel pass
}

// open makes the engine.
func (b *bench) open() (err error) {
	if b.engine == nil {
		b.engine, err = engine.New(engine.Config{CacheDir: filepath.Join(b.cache, "code")})
		if err == nil && !b.engine.Info().Tuned {
			b.say("this is the stock engine, about half as fast as the tuned one: use make bench")
		}
	}
	return err
}

// javascript is the guest as Mayfly runs it.
func (b *bench) javascript(ctx context.Context) (*isolate.Program, error) {
	if b.program != nil {
		return b.program, nil
	}
	if err := b.open(); err != nil {
		return nil, err
	}
	var err error
	b.program, err = isolate.Prepare(ctx, b.engine, quickjs.Guest{}, b.cache, b.preparing)
	return b.program, err
}

// javascriptUnmetered is the guest without the fuel pass.
func (b *bench) javascriptUnmetered(ctx context.Context) (*isolate.Program, error) {
	if b.unmetered != nil {
		return b.unmetered, nil
	}
	if err := b.open(); err != nil {
		return nil, err
	}
	var err error
	b.unmetered, err = isolate.Prepare(ctx, b.engine, unmeteredGuest{}, b.cache, b.preparing)
	return b.unmetered, err
}

func (b *bench) preparing(step string, done float64) {
	if done <= 0 {
		b.say("  %s", step)
	}
}

func (b *bench) close() {
	for _, p := range []*isolate.Program{b.program, b.unmetered} {
		if p != nil {
			p.Close()
		}
	}
	if b.engine != nil {
		b.engine.Close()
	}
}

// unmeteredGuest is the JavaScript guest without metering, which only a
// measurement may run.
type unmeteredGuest struct{ quickjs.Guest }

func (unmeteredGuest) Name() string { return "quickjs-unmetered" }

// Passes are those of the guest without fuel.
func (g unmeteredGuest) Passes() wasm.Options {
	o := g.Guest.Passes()
	o.Fuel, o.Polling = 0, nil
	return o
}

// Machine gives the machine a counter that nothing counts down.
func (g unmeteredGuest) Machine(in engine.Instance) (isolate.Machine, error) {
	m, err := g.Guest.Machine(in)
	return unmeteredMachine{m}, err
}

func (g unmeteredGuest) Boot(ctx context.Context, m isolate.Machine, cache string, progress isolate.Progress) error {
	return g.Guest.Boot(ctx, m.(unmeteredMachine).Machine, cache, progress)
}

type unmeteredMachine struct{ isolate.Machine }

func (unmeteredMachine) Fuel() engine.Global { return unusedGlobal{} }

type unusedGlobal struct{}

func (unusedGlobal) Get() uint64 { return 0 }
func (unusedGlobal) Set(uint64)  {}

// minimalHost gives a guest nothing but a place for its result, so that what is
// measured is the isolate.
type minimalHost struct {
	result []byte // as JSON or text
	failed error  // what nobody caught
}

func (h *minimalHost) Call(_ *isolate.Isolate, number uint32, in, out []byte) ([]byte, bool) {
	r := op.NewReader(in)
	switch op.Op(number) {
	case op.Result:
		r.U8()
		r.Str()
		h.result = append(h.result[:0], r.Bytes()...)
	case op.Fail:
		r.U8()
		if e, err := op.ReadError(r); err != nil {
			h.failed = err
		} else {
			h.failed = e
		}
	}
	return out[:0], true
}

func (h *minimalHost) Start(iso *isolate.Isolate, _, id uint32, _ []byte) { iso.Settle(id, true, nil) }
func (h *minimalHost) Settled(uint32)                                     {}
func (h *minimalHost) Flush()                                             {}
func (h *minimalHost) Refuse(int) []byte                                  { return nil }

// script is a job that runs a source on a minimal host.
func script(p *isolate.Program, source string) isolate.Job {
	message := (&op.RunMessage{AllowEval: true, Name: "main.js", Source: source, Dir: "/"}).Encode()
	return isolate.Job{
		Program: p, Host: &minimalHost{}, Event: uint32(op.EventRun), Message: message,
		Limits: isolate.Limits{CPU: time.Minute, Wall: 2 * time.Minute, Memory: 256 << 20},
	}
}

// prepare evaluates a module up to its handler, to be invoked in clones.
func prepare(ctx context.Context, r *isolate.Runtime, p *isolate.Program, source string) (*isolate.Program, error) {
	job := script(p, source)
	job.Event = uint32(op.EventPrepare)
	prepared, report, err := r.Derive(ctx, job)
	if err == nil && prepared == nil {
		err = fmt.Errorf("preparing %s ended with %s: %w", source, report.Outcome, report.Err)
	}
	return prepared, err
}

// invocation is a job that calls a prepared handler.
func invocation(p *isolate.Program) isolate.Job {
	job := script(p, "")
	job.Event, job.Message = uint32(op.EventInvoke), (&op.InvokeMessage{}).Encode()
	return job
}

// runJob runs a job of script that has to succeed.
func runJob(ctx context.Context, r *isolate.Runtime, job isolate.Job) (result string, usage isolate.Usage, err error) {
	h := job.Host.(*minimalHost)
	h.result, h.failed = h.result[:0], nil
	report, err := r.Run(ctx, job)
	if err == nil && report.Outcome != isolate.OK {
		err = fmt.Errorf("ended with %s: %w", report.Outcome, errors.Join(report.Err, h.failed))
	}
	if err == nil {
		err = h.failed
	}
	return string(h.result), report.Usage, err
}

// inputs is where the bench's inputs are, from the top of the source tree.
const inputs = "testdata/bench"

// scratch is a temporary directory for data that is thrown away.
func scratch() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "mayfly-bench-")
	return dir, func() { os.RemoveAll(dir) }, err
}
