// Package op numbers the operations that guests ask of the host, and has the
// codec of their messages. The list itself is ops.json, from which the tables
// for Go, C, JavaScript and Python are generated.
package op

//go:generate go run ./gen

import "fmt"

// An Op is the number of an operation: synchronous below 64, asynchronous
// from 64 on.
type Op uint32

// Async says that the operation is settled in a later turn.
func (o Op) Async() bool { return o >= 64 }

// String is the operation's name in ops.json, or its number.
func (o Op) String() string {
	if name, ok := opNames[o]; ok {
		return name
	}
	return fmt.Sprintf("op %d", uint32(o))
}

// An Event is the number of an event that the host delivers to a guest.
type Event uint32

// String is the event's name in ops.json, or its number.
func (e Event) String() string {
	if name, ok := eventNames[e]; ok {
		return name
	}
	return fmt.Sprintf("event %d", uint32(e))
}
