// Package worker runs Workers: programs whose modules are evaluated once, and
// which then answer events: requests, calls, times, traces. A worker is deployed
// by name, or made at run time by another through a loader.
//
// What a worker's modules leave when they have been evaluated is its base: a
// state of the guest, shared by all workers of the same code. An instance is an
// isolate that goes on from the base and serves events; what it can reach is
// answered by the instance, on behalf of the event whose turn it is.
package worker
