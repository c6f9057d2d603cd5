package worker

import (
	"time"

	"mayfly/host/bundle"
	"mayfly/host/egress"
	"mayfly/host/execution"
	"mayfly/host/rpc"
)

// A Definition is what a worker is: code, environment, policy.
type Definition struct {
	Name    string // as traces show it
	Tenant  string // whose share of the processors it uses
	Parent  string // the worker whose loader made it; empty: it is deployed
	ID      string // of a dynamic worker: the loader's id; empty: anonymous
	Version string // of a deployed one
	Code    *Code

	// Variables are what process.env has.
	Variables map[string]string
	// Bindings, Services and Loaders are the env of a deployed worker.
	Bindings execution.Bound
	Services []ServiceBinding
	Loaders  []LoaderBinding
	// Env is that of a dynamic worker, in place of those; nil: they are.
	Env *rpc.Value

	// Policy is where fetch may go; nil: nowhere. Outbound, if not nil, answers
	// in place of the network. Blocked says that there is no way out at all, in
	// the words of Workers.
	Policy   *egress.Policy
	Outbound rpc.Target
	Blocked  bool

	// Maps are the source maps of modules, by their names.
	Maps map[string]*bundle.Map

	Limits  Limits
	Request bool // each event has an isolate of its own, from the base
	Tails   []rpc.Target
	// Depth is how many loaders led here.
	Depth int
}

// A ServiceBinding is another worker's entrypoint, by name. It is looked up for
// every use.
type ServiceBinding struct {
	Name   string
	Target rpc.Target
}

// A LoaderBinding is a loader, by name.
type LoaderBinding struct {
	Name string
}

// Limits bound each event of a worker, and its memory. Zero means the service's
// default.
type Limits struct {
	CPU         time.Duration // of one event's turns: past it, exceededCpu
	Wall        time.Duration // of one event; 0: as long as somebody waits for it
	MemoryBytes int64         // of an isolate, above the warm image
	Subrequests int           // of one event
}

// Lower is the lower of two sets of limits, field by field; zero is no limit.
func (l Limits) Lower(m Limits) Limits {
	return Limits{lower(l.CPU, m.CPU), lower(l.Wall, m.Wall), lower(l.MemoryBytes, m.MemoryBytes), lower(l.Subrequests, m.Subrequests)}
}

func lower[N int | int64 | time.Duration](a, b N) N {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// DefaultLimits are those of Workers where they have them.
var DefaultLimits = Limits{CPU: 30 * time.Second, MemoryBytes: 128 << 20, Subrequests: 1000}

// Bounds of what one instance or event may have open.
const (
	maxOperations = 1000
	maxStubs      = 10_000           // that one event holds
	afterwards    = 30 * time.Second // that waitUntil may take when nobody waits any more
)
