package isolate

import (
	"errors"
	"time"

	"mayfly/runtime/engine"
)

// An Outcome is how an event ended: exactly one of the list.
type Outcome string

// The closed list of outcomes. The runtime itself settles all but Exception,
// which only the host can tell from OK.
const (
	OK                  Outcome = "ok"
	Exception           Outcome = "exception"
	ExceededCPU         Outcome = "exceededCpu"
	ExceededWallTime    Outcome = "exceededWallTime"
	ExceededMemory      Outcome = "exceededMemory"
	ExceededOutput      Outcome = "exceededOutput"
	ExceededSubrequests Outcome = "exceededSubrequests"
	Canceled            Outcome = "canceled"
	LoadShed            Outcome = "loadShed"
	InternalError       Outcome = "internalError"
)

// Outcomes lists all outcomes, in the order of the constants.
var Outcomes = []Outcome{OK, Exception, ExceededCPU, ExceededWallTime, ExceededMemory,
	ExceededOutput, ExceededSubrequests, Canceled, LoadShed, InternalError}

// Limits bound one isolate's life. Zero means none, but for Memory.
type Limits struct {
	CPU        time.Duration // of the guest's thread
	Wall       time.Duration // from admission on, by the monotonic clock
	Memory     int64         // bytes that the guest may change or grow beyond the image; 0: all there is
	Operations int           // asynchronous operations pending at once
}

// Usage is what an isolate used.
type Usage struct {
	CPU     time.Duration // of the guest's thread, host calls included
	Wall    time.Duration // from admission to the end
	Queue   time.Duration // of Wall: waiting for a processor the first time
	Startup time.Duration // to make a clean slot ready for the guest
	Memory  int64         // bytes changed or grown, at the end or when last measured, whichever is more
}

// A Report is the end of one event.
type Report struct {
	Outcome Outcome
	Usage   Usage
	// Err says why, where Outcome isn't OK. For InternalError it belongs in
	// the log, not before a user.
	Err error
	// State is what the event left, if Job.Keep asked for it and the guest came
	// to an end by itself, be it well or by an error of its program; else nil.
	// It is the caller's to close.
	State *State
}

// Reason says in words why the event ended as it did, for its user; empty for
// OK and InternalError.
func (r *Report) Reason() string {
	var e *ended
	if errors.As(r.Err, &e) {
		return e.why
	}
	var trap *engine.Trap
	if r.Outcome != InternalError && errors.As(r.Err, &trap) {
		return string(trap.Code)
	}
	return ""
}

// ended unwinds a guest, or marks a resting isolate, with its outcome.
type ended struct {
	outcome Outcome
	why     string
}

func (e *ended) Error() string { return string(e.outcome) + ": " + e.why }

// ErrMemory is wrapped by the error of a guest whose memory did not suffice
// for what the host wanted to tell it.
var ErrMemory = errors.New("the guest is out of memory")

// ErrOverloaded is wrapped by an [OverloadError].
var ErrOverloaded = errors.New("overloaded")

// An OverloadError refuses an execution at admission: nothing of it ran.
type OverloadError struct {
	Reason     string        // which bound was hit, in words
	Tenant     bool          // the bound is the tenant's own
	RetryAfter time.Duration // when another try has a chance
}

func (e *OverloadError) Error() string { return "overloaded: " + e.Reason }
func (e *OverloadError) Unwrap() error { return ErrOverloaded }
