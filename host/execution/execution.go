// Package execution runs programs: it turns a request into an isolate's
// capabilities and code, runs it, and gathers result, output, artifacts and
// usage. The REST endpoint and the command line both stand on it.
package execution

import (
	"encoding/json"
	"time"

	"mayfly/host/binding"
	"mayfly/host/egress"
	"mayfly/runtime/isolate"
)

// A Request is one program to run. The zero value of every field but Language
// and Code (or Files with Entrypoint) is usable.
type Request struct {
	Language   string            // javascript or typescript
	Code       string            // the program, or empty if Entrypoint names a file
	Files      []File            // mounted before the start, relative to the working directory
	Entrypoint string            // path of the file to run, when Code is empty
	Stdin      []byte            //
	Args       []string          //
	Env        map[string]string //
	Input      json.RawMessage   // any JSON value; empty means undefined
	Limits     Limits            // zero fields take the server's defaults; capped by its caps
	Network    Network           // closed unless a rule opens it
	Bindings   []Binding         // what the program finds in env, besides its variables
	Packages   []string          // pure-Python ones: name==version, or ./path of a wheel among Files
	Artifacts  []string          // globs of files to keep; nil means /artifacts/**
	Export     *Export           // where to put artifacts besides; nil: nowhere
	Tenant     string            // whose share of the processors it uses
	Metadata   map[string]string // kept with the record, not interpreted
}

// A File is mounted into an execution's file system.
type File struct {
	Path     string
	Content  []byte
	Artifact *ArtifactRef // content of a stored artifact, instead of Content
}

// An ArtifactRef names an artifact of an earlier execution.
type ArtifactRef struct{ Execution, Name string }

// Limits bound one execution. Zero means the server's default; a value above
// the server's cap is an error that names the field.
type Limits struct {
	CPU         time.Duration // processor time of the guest: past it, exceededCpu
	Wall        time.Duration // from admission to the end: past it, exceededWallTime
	MemoryBytes int64         // heap and stack above the warm image: past it, exceededMemory
	OutputBytes int64         // stdout, stderr, displays and result together: past it, exceededOutput
	FilesBytes  int64         // all files of the file system together; a write past it fails (ENOSPC)
	Subrequests int           // fetches, redirects included; one more fails
	Operations  int           // pending at once; one more fails
}

// Network is the egress policy of one execution: closed when there is no rule.
type Network struct{ Allow []NetworkRule }

// A NetworkRule opens the way to hosts.
type NetworkRule struct {
	Host    string   // example.com, *.example.com, *, an address, or a CIDR block
	Ports   []int    // nil: 80 and 443
	AnyPort bool     `json:",omitempty"` // in place of Ports
	Methods []string // nil: all
	// Inject adds secrets of the tenant to requests that the rule lets out. The
	// program sees nothing of them.
	Inject    []Injection `json:",omitempty"`
	AllowHTTP bool        `json:",omitempty"` // injects without TLS too
}

// An Injection says where a secret goes; see egress.Injection.
type Injection = egress.Injection

// An Outcome is how an execution ended: exactly one of the runtime's list.
type Outcome = isolate.Outcome

// The outcomes, see the runtime's.
const (
	OK                  = isolate.OK
	Exception           = isolate.Exception
	ExceededCPU         = isolate.ExceededCPU
	ExceededWallTime    = isolate.ExceededWallTime
	ExceededMemory      = isolate.ExceededMemory
	ExceededOutput      = isolate.ExceededOutput
	ExceededSubrequests = isolate.ExceededSubrequests
	Canceled            = isolate.Canceled
	LoadShed            = isolate.LoadShed
	InternalError       = isolate.InternalError
)

// A Result is all that is known of an ended execution.
type Result struct {
	Outcome    Outcome
	Value      json.RawMessage // the result as JSON; nil if it has none
	Text       string          // a readable rendering, where Value is nil
	ValueType  string          // the result's type in its language, as "number"; empty without a result
	Stdout     string
	Stderr     string
	Displays   []Display // rich results, in order
	Truncated  []string  // of "stdout", "stderr", "result", "displays", "artifacts"
	Error      *Error
	ExitCode   int
	Artifacts  []Artifact
	Usage      Usage
	InternalID string // names the log entry of an internalError
}

// An Error is an error of the user's program, or what a limit says of it.
type Error struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	Stack   string `json:"stack,omitempty"`
	Cause   *Error `json:"cause,omitempty"`
}

// An Artifact is a file that was kept.
type Artifact struct {
	Name        string // path below its first folder: "chart.svg" for /artifacts/chart.svg
	Path        string // in the execution's file system
	Size        int64
	ContentType string
	SHA256      string    // hexadecimal
	Export      *Exported // nil: it was not asked for
}

// An Export says where artifacts are put besides: into a bucket of the
// tenant's, under their names after a prefix.
type Export struct {
	Bucket string
	Prefix string // {id} in it is the execution's id
}

// Exported is where an artifact was put, or why it could not be.
type Exported struct {
	Bucket string
	Key    string
	Error  string // empty: it is there
}

// Usage is what an execution used.
type Usage struct {
	CPU          time.Duration // of the guest's thread
	Wall         time.Duration // from admission to the end
	Queue        time.Duration // waiting for admission
	Startup      time.Duration // to make the isolate ready
	PeakMemory   int64         // bytes: changed and grown memory, and files
	EgressBytes  int64
	IngressBytes int64
	Subrequests  int
	Bindings     binding.Usage
}

// An Event is a part of an execution's story, in order. Exactly one of the
// fields besides Seq and Time is set.
type Event struct {
	Seq      int64 // from 1, without gaps
	Time     time.Time
	Stdout   string
	Stderr   string
	Display  *Display
	Result   *Result // result event: only Value, Text and ValueType are set
	Error    *Error
	Artifact *Artifact
	Usage    *Usage
	End      *Result // the last event
}
