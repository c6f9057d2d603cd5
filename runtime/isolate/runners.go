package isolate

import "time"

// runners are goroutines that run residents. Those that have just done so wait a
// while for the next: their stacks have grown to what a turn needs.
type runners struct {
	next chan *Resident
	over chan struct{} // closed when no more come
}

// runnerPatience is how long a goroutine waits for another resident to run.
const runnerPatience = time.Second

func newRunners() *runners { return &runners{make(chan *Resident), make(chan struct{})} }

// start has a goroutine run a resident.
func (r *runners) start(x *Resident) {
	select {
	case r.next <- x: // somebody waits
	default:
		go r.run(x)
	}
}

func (r *runners) run(x *Resident) {
	patience := time.NewTimer(runnerPatience)
	defer patience.Stop()
	for {
		x.run()
		patience.Reset(runnerPatience)
		select {
		case x = <-r.next:
		case <-r.over:
			return
		case <-patience.C:
			return
		}
	}
}
