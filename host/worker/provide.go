package worker

import (
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"mayfly/host/op"
)

// The message of loader_provide, after u32 worker and u8 1:
//
//	str compatibilityDate, list<str> compatibilityFlags, str mainModule,
//	list<str name, u8 kind (0: by its name, else as Kind), bytes content> modules,
//	u8 given, value env,
//	u8 outbound (0 as the parent's, 1 none, 2 a capability),
//	list<u8 kind, u32 handle> capabilities: of the outbound if it is one, then of
//	the tails,
//	f64 cpuMs, f64 subRequests, f64 memoryMb, f64 wallMs (each 0: no limit of
//	its own; subRequests -1: none are allowed)
//
// A module is given without a kind where the program gave a string alone.

// Provided is what a parent gives of a dynamic worker.
type Provided struct {
	Code     *Code
	HasEnv   bool
	Env      GuestValue
	Outbound OutboundKind
	Target   Handle // the outbound, if it is one
	Tails    []Handle
	Limits   ProvidedLimits
}

// A GuestValue is a value as a guest sends it: its capabilities are the guest's
// own handles.
type GuestValue struct {
	Message []byte
	Handles []Handle
}

// A Handle is a capability of a guest: a kind (host/op) and the guest's number.
type Handle struct {
	Kind   uint8
	Number uint32
}

// An OutboundKind says where a worker's fetch() and connect() lead.
type OutboundKind uint8

// The kinds of outbounds.
const (
	OutboundInherit OutboundKind = iota // to the network, by the parent's way
	OutboundBlocked                     // nowhere
	OutboundTarget                      // to an entrypoint
)

// ErrOutboundBlocked is what fetch() and connect() say where globalOutbound is
// null.
var ErrOutboundBlocked error = &op.ErrorRecord{Name: "Error", Message: "This worker is not permitted to access the internet via global functions like fetch(). It must use capabilities (such as bindings in 'env') to talk to the outside world."}

const (
	maxTails   = 100
	maxHandles = 10_000
)

// errRepeated is a name that is there twice, which an object can't have.
var errRepeated = errors.New("two modules have the same name")

// DecodeProvided takes the code of loader_provide apart and validates it. The
// message may be overwritten afterwards.
//
// # Errors
//
// One that wraps [op.ErrMessage] for a message that no guest of ours sends;
// else an [*op.ErrorRecord] for the program.
func DecodeProvided(message []byte, now time.Time) (*Provided, error) {
	text, rest := splitProvided(message)
	return decodeProvided(slices.Clone(text), nil, rest, now)
}

// splitProvided splits a message where the code ends. It looks at lengths only.
func splitProvided(message []byte) (code, rest []byte) {
	r := op.NewReader(message)
	r.Bytes()
	for n := r.U32(); n > 0 && r.Err() == nil; n-- {
		r.Bytes()
	}
	r.Bytes()
	for n := r.U32(); n > 0 && r.Err() == nil; n-- {
		r.Bytes()
		r.U8()
		r.Bytes()
	}
	if r.Err() != nil {
		return message, nil
	}
	rest = r.Rest()
	return message[:len(message)-len(rest)], rest
}

// decodeCode reads the code, which shares the text. A mistake is told only when
// all of the message is there.
func decodeCode(text []byte) (code *Code, mistake, err error) {
	r := op.NewReader(text)
	code = &Code{CompatibilityDate: r.Str(), CompatibilityFlags: r.Strs(), MainModule: r.Str()}
	n := r.U32()
	if n > maxModules {
		return nil, nil, typeError("Dynamic Worker code has %d modules, at most %d are allowed.", n, maxModules)
	}
	code.Modules = make(map[string]Module, min(n, 64))
	for i := uint32(0); i < n && r.Err() == nil; i++ {
		name, kind := r.Str(), r.U8()
		content := r.Bytes()
		if r.Err() != nil {
			break
		}
		m := Module{Kind: Kind(kind), Content: content}
		if kind == 0 {
			var err error
			if m.Kind, err = kindOfName(name, code.MainModule); err != nil && mistake == nil {
				mistake = err
			}
		}
		if _, twice := code.Modules[name]; twice {
			return nil, nil, errors.Join(op.ErrMessage, errRepeated)
		}
		code.Modules[name] = m
	}
	return code, mistake, r.Done()
}

// decodeProvided is DecodeProvided of a message in two parts. The code is made of
// text and shares it, unless it is known: then it was validated.
func decodeProvided(text []byte, known *Code, rest []byte, now time.Time) (*Provided, error) {
	p := &Provided{Code: known}
	var mistake error
	if known == nil {
		var err error
		if p.Code, mistake, err = decodeCode(text); err != nil {
			return nil, err
		}
	}
	r := op.NewReader(rest)
	p.HasEnv = r.U8() != 0
	p.Env = readGuestValue(r)
	p.Outbound = OutboundKind(r.U8())
	p.Tails = readHandles(r)
	p.Limits = readLimits(r)
	if err := r.Done(); err != nil {
		return nil, err
	}
	if p.Outbound > OutboundTarget || p.Outbound == OutboundTarget && len(p.Tails) == 0 {
		return nil, op.ErrMessage
	}
	if p.Outbound == OutboundTarget {
		p.Target, p.Tails = p.Tails[0], p.Tails[1:]
	}
	if len(p.Tails) > maxTails {
		return nil, typeError("A dynamic worker can have at most %d tails.", maxTails)
	}
	if mistake != nil {
		return nil, mistake
	}
	if known == nil {
		if err := p.Code.Validate(now); err != nil {
			return nil, err
		}
	}
	if p.HasEnv && len(p.Env.Message) > MaxEnvironment {
		return nil, plainError("Dynamic Worker env size (%d bytes) exceeds the maximum allowed size of %d bytes.", len(p.Env.Message), MaxEnvironment)
	}
	if err := p.Limits.check(); err != nil {
		return nil, err
	}
	// The message is the guest's memory.
	p.Env.Message = slices.Clone(p.Env.Message)
	return p, nil
}

// readGuestValue reads a value, whose message is part of the reader's.
func readGuestValue(r *op.Reader) GuestValue {
	return GuestValue{Message: r.Bytes(), Handles: readHandles(r)}
}

// ProvidedLimits are limits as a program gives them. Zero is no limit of its own;
// -1 subrequests are none at all.
type ProvidedLimits struct{ CPUMs, Subrequests, MemoryMB, WallMs float64 }

func readLimits(r *op.Reader) ProvidedLimits {
	return ProvidedLimits{r.F64(), r.F64(), r.F64(), r.F64()}
}

// check refuses what is no amount.
func (l *ProvidedLimits) check() error {
	for _, f := range []struct {
		name       string
		value, min float64
	}{{"cpuMs", l.CPUMs, 0}, {"subRequests", l.Subrequests, -1}, {"memoryMb", l.MemoryMB, 0}, {"wallMs", l.WallMs, 0}} {
		if math.IsNaN(f.value) || math.IsInf(f.value, 0) || f.value < f.min {
			return typeError("The limit %s must be a positive number.", f.name)
		}
	}
	return nil
}

// readHandles reads a list of u8 kind and u32 handle.
func readHandles(r *op.Reader) []Handle {
	n := r.U32()
	if n > maxHandles {
		n = maxHandles + 1 // then bytes are left over, or missing
	}
	var list []Handle
	for i := uint32(0); i < n && r.Err() == nil; i++ {
		list = append(list, Handle{r.U8(), r.U32()})
	}
	return list
}

// kindOfName is what a module is that was given by a string alone.
func kindOfName(name, main string) (Kind, error) {
	switch {
	case strings.HasSuffix(name, ".py"):
		return Python, nil
	case strings.HasSuffix(name, ".js"):
		return JS, nil
	case strings.HasSuffix(main, ".py") && strings.HasPrefix(name, "python_modules/"):
		return Text, nil // packages bring files that are no code
	}
	return 0, ModuleNameError(name)
}
