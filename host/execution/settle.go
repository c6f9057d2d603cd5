package execution

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"mayfly/host/bundle"
	"mayfly/host/op"
	"mayfly/host/vfs"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// codeOutOfMemory is the code by which a guest marks an error that came of its
// memory limit.
const codeOutOfMemory = "ERR_OUT_OF_MEMORY"

// maxCause bounds how many causes of an error are told.
const maxCause = 8

// fail notes an error that nobody caught: the first one counts.
func (b *sandbox) fail(e *op.ErrorRecord) {
	if b.failed == nil {
		b.failed = b.userError(e, 0)
		b.memory = e.Code == codeOutOfMemory
	}
}

// userError is an error record as the user sees it: with places in their own
// sources.
func (b *sandbox) userError(e *op.ErrorRecord, depth int) *Error {
	if e == nil || depth > maxCause {
		return nil
	}
	return &Error{
		Name: e.Name, Message: e.Message, Stack: bundle.MapStack(e.Stack, b.modules.maps),
		Cause: b.userError(e.Cause, depth+1),
	}
}

// sourceError is a mistake in the user's source as the error of a program.
func sourceError(err error) *Error {
	var mistake *bundle.Error
	if errors.As(err, &mistake) {
		e := &Error{Name: "SyntaxError", Message: mistake.Text}
		e.Stack = fmt.Sprintf("    at %s:%d:%d", mistake.File, mistake.Line, mistake.Column)
		if mistake.Excerpt != "" {
			e.Stack = fmt.Sprintf("    %s\n    %s^\n%s", mistake.Excerpt, strings.Repeat(" ", max(mistake.Column-1, 0)), e.Stack)
		}
		return e
	}
	return &Error{Name: "Error", Message: err.Error()}
}

// errorRecord is an error of an operation as the guest gets it.
func errorRecord(err error) *op.ErrorRecord {
	var record *op.ErrorRecord
	var file *vfs.Error
	var module *errModule
	var mistake *bundle.Error
	switch {
	case errors.As(err, &record):
		return record
	case errors.As(err, &file):
		return file.Record()
	case errors.As(err, &module):
		return &op.ErrorRecord{Name: "Error", Code: module.code, Message: module.message}
	case errors.As(err, &mistake):
		return &op.ErrorRecord{Name: "SyntaxError", Message: mistake.Error()}
	}
	return &op.ErrorRecord{Name: "TypeError", Message: err.Error()}
}

// settle makes the result of an ended isolate: its one outcome, its usage, its
// artifacts.
func (b *sandbox) settle(ctx context.Context, id string, report isolate.Report) *Result {
	r := &Result{Outcome: report.Outcome, ExitCode: b.code, Truncated: []string{}}
	var trap *engine.Trap
	trapped := report.Outcome == InternalError && errors.As(report.Err, &trap)
	switch {
	case trapped && b.memory:
		r.Outcome = ExceededMemory // the guest said so before it gave up
	case trapped:
		// A program has broken its own interpreter, and nothing else.
		b.service.config.Log.Warn("a program ended its interpreter by a trap", "execution", id, "err", report.Err)
		b.failed = &Error{Name: "Crash", Message: "the program broke its interpreter: " + string(trap.Code)}
		r.Outcome = OK
	}
	switch r.Outcome {
	case OK:
		r.Outcome = b.ownOutcome()
		r.Error = b.failed
	case InternalError:
		r.InternalID = rand.Text()[:12]
		log := b.service.config.Log.With("id", r.InternalID, "execution", id)
		var bug *engine.HostPanic
		if errors.As(report.Err, &bug) {
			log = log.With("stack", string(bug.Stack))
		}
		log.Error("internal error of an execution", "err", report.Err)
		r.Error = &Error{Name: "InternalError", Message: "the server failed to run this program; its log has the reason under " + r.InternalID}
	default:
		r.Error = b.limitError(r.Outcome, report)
	}
	if b.code != 0 && r.Outcome == OK {
		r.Outcome = Exception
		r.Error = &Error{Name: "Exit", Message: fmt.Sprintf("the program exited with code %d", b.code)}
	}
	if r.Outcome != OK && r.ExitCode == 0 {
		r.ExitCode = 1
	}
	b.output.finish()
	r.Stdout, r.Stderr = b.output.text(0), b.output.text(1)
	for fd, name := range []string{"stdout", "stderr"} {
		if b.output.cut[fd] {
			r.Truncated = append(r.Truncated, name)
		}
	}
	r.Displays = b.displays.list
	if b.displays.cut {
		r.Truncated = append(r.Truncated, "displays")
	}
	b.setValue(r)
	if r.Outcome != InternalError && r.Outcome != Canceled {
		var cut bool
		var err error
		if r.Artifacts, cut, err = b.export(context.WithoutCancel(ctx), id); err != nil {
			r.InternalID = rand.Text()[:12]
			b.service.config.Log.Error("artifacts could not be kept", "id", r.InternalID, "execution", id, "err", err)
			r.Outcome = InternalError
			r.Error = &Error{Name: "InternalError", Message: "the artifacts could not be kept; the server's log has the reason under " + r.InternalID}
		}
		if cut {
			r.Truncated = append(r.Truncated, "artifacts")
		}
	}
	r.Usage = b.usage(report.Usage)
	if r.Error != nil {
		b.emit(Event{Error: r.Error})
	}
	b.emit(Event{Usage: &r.Usage})
	b.emit(Event{End: r})
	return r
}

// limitError says which limit ended a program, or what it said itself.
func (b *sandbox) limitError(outcome Outcome, report isolate.Report) *Error {
	if reason := report.Reason(); reason != "" {
		return &Error{Name: "LimitError", Message: reason}
	}
	if b.failed != nil {
		return b.failed
	}
	return &Error{Name: "LimitError", Message: "the program ended with " + string(outcome)}
}

// ownOutcome is the outcome of a program that came to its end by itself.
func (b *sandbox) ownOutcome() Outcome {
	switch {
	case b.failed == nil:
		return OK
	case b.memory:
		return ExceededMemory
	case b.network != nil && b.network.LimitHit():
		return ExceededSubrequests
	}
	return Exception
}

func (b *sandbox) setValue(r *Result) {
	switch b.value.kind {
	case resultJSON:
		r.ValueType = b.value.typ
		if json.Valid(b.value.data) {
			r.Value = b.value.data
		} else { // only a guest gone wrong says so
			r.Text = strings.ToValidUTF8(string(b.value.data), "\uFFFD")
		}
	case resultText:
		r.Text, r.ValueType = strings.ToValidUTF8(string(b.value.data), "\uFFFD"), b.value.typ
	default:
		r.ValueType = b.value.typ
		if r.Outcome == ExceededOutput && b.value.typ != "" {
			r.Truncated = append(r.Truncated, "result")
		}
		return
	}
	b.emit(Event{Result: &Result{Value: r.Value, Text: r.Text, ValueType: r.ValueType}})
}

func (b *sandbox) usage(u isolate.Usage) Usage {
	out := Usage{
		CPU: u.CPU, Wall: u.Wall, Queue: u.Queue, Startup: u.Startup,
		PeakMemory: u.Memory + b.files.Usage().Bytes,
	}
	if b.network != nil {
		n := b.network.Usage()
		out.EgressBytes, out.IngressBytes, out.Subrequests = n.EgressBytes, n.IngressBytes, n.Subrequests
	}
	if b.bindings != nil {
		out.Bindings = b.bindings.Usage()
	}
	return out
}
