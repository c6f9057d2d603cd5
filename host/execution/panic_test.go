package execution_test

import (
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

// brokenHost panics in one operation, as a bug of a capability would.
type brokenHost struct{ calls int }

func (h *brokenHost) Call(*isolate.Isolate, uint32, []byte, []byte) ([]byte, bool) {
	h.calls++
	var nothing []byte
	return nothing[h.calls:], true // out of range
}
func (*brokenHost) Start(*isolate.Isolate, uint32, uint32, []byte) { panic("broken") }
func (*brokenHost) Settled(uint32)                                 {}
func (*brokenHost) Flush()                                         {}
func (*brokenHost) Refuse(int) []byte                              { return nil }

// TestPanicOfTheHostEndsOneIsolate breaks a capability under a program: that
// isolate ends as internalError, and the ones after it are whole.
func TestPanicOfTheHostEndsOneIsolate(t *testing.T) {
	s := newService(t, nil)
	runtime, err := isolate.New(isolate.Config{Processors: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.Close()
	for _, source := range []string{"console.log(1)", "setTimeout(() => {}, 1)"} {
		for range 3 {
			run := op.RunMessage{Name: "main.js", Source: source, Dir: "/"}
			host := &brokenHost{}
			report, err := runtime.Run(t.Context(), isolate.Job{Program: program, Host: host, Event: uint32(op.EventRun), Message: run.Encode()})
			if err != nil || report.Outcome != isolate.InternalError || report.Err == nil {
				t.Errorf("%s: %v, %+v", source, err, report)
			}
			if r := execute(t, s, js("6 * 7")); string(r.Value) != "42" {
				t.Errorf("afterwards: %s", show(r))
			}
		}
	}
}
