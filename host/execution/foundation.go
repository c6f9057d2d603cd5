package execution

import (
	"log/slog"

	"mayfly/host/egress"
	"mayfly/host/fetch"
	"mayfly/host/vfs"
	"mayfly/host/webassembly"
	"mayfly/runtime/isolate"
)

// What follows is for services that run programs in other ways, and give them
// what executions are given.

// Runtime is what isolates run on.
func (s *Service) Runtime() *isolate.Runtime { return s.config.Runtime }

// Log is where the service notes what its owner should know.
func (s *Service) Log() *slog.Logger { return s.config.Log }

// Program is a language's program and the guest's own part of the file system;
// the program is nil until the language is ready, or if there is none of that
// name.
func (s *Service) Program(language string) (*isolate.Program, *vfs.Layer) {
	l := s.language(language)
	if l == nil {
		return nil, nil
	}
	return l.program(), l.base()
}

// Builtin says whether a language's guest has a module of that name.
func (s *Service) Builtin(language, module string) bool {
	l := s.language(language)
	return l != nil && l.Builtin != nil && l.Builtin(module)
}

// Policy compiles network rules; nil refuses everything. field is where they are
// in what the caller was asked, for errors: [*InvalidError].
func (s *Service) Policy(n *Network, field string) (*egress.Policy, error) {
	return s.compile(n, field)
}

// NewSession opens a way to the network.
func (s *Service) NewSession(options fetch.Options) *fetch.Session {
	return s.client.NewSession(options)
}

// Compiler compiles modules that programs bring.
func (s *Service) Compiler() *webassembly.Compiler { return &s.webassembly }
