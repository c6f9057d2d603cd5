package execution

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"mayfly/host/op"
	"mayfly/host/vfs"
	"mayfly/host/wasi"
	"mayfly/runtime/isolate"
)

// A State is a session at rest, between two cells: the guest's memory as far as
// it differs from its image, the file tree, and what else the guest may still
// know of. It never changes: cells and forks start from copies, which share
// what they don't change. It is safe for concurrent use.
//
// A State is closed by its owner when nothing more will start from it.
type State struct {
	language *language
	memory   *isolate.State // nil: the warm image
	cells    int            // how many led here
	bodies   uint32         // the last handle that was given to a response's body
	uptime   time.Duration  // what the guest's clock has counted
	room     int64          // bytes that the files may have
	system   *wasi.System   // with the open files; nil: none yet, or the guest has no use for it

	mu    sync.Mutex // forking a tree marks what is shared
	files *vfs.Tree
}

// ErrForeignState says that a state belongs to another build of a guest, or to
// another image; ErrCorruptState, that it is not what was written.
var (
	ErrForeignState = isolate.ErrForeignState
	ErrCorruptState = isolate.ErrCorruptState
)

// NewState is where a session starts: the warm image of a language, and the
// request's files and packages. Of the request, Language, Files, Packages,
// Limits and Tenant count.
//
// # Errors
//
// One or more [*InvalidError], or an [*OverloadError] while the language is not
// ready.
func (s *Service) NewState(ctx context.Context, r Request) (*State, error) {
	r.Code, r.Entrypoint = " ", ""
	if err := s.Validate(&r); err != nil {
		return nil, err
	}
	l := s.language(r.Language)
	if l.program() == nil {
		return nil, l.unprepared()
	}
	limits := s.limits(l, r.Limits)
	layer, err := s.packageLayer(ctx, l, &r, limits, nil)
	if err != nil {
		return nil, err
	}
	b := newSandbox(s, l, &r, limits, nil, l.base(), nil)
	defer b.close()
	if err := b.mount(ctx); err != nil {
		return nil, err
	}
	if layer != nil {
		if err := b.mountPackages(layer); err != nil {
			return nil, err
		}
	}
	return &State{language: l, system: b.wasi, files: b.files, room: b.limits.FilesBytes}, nil
}

// unprepared says that a language is not ready.
func (l *language) unprepared() *OverloadError {
	return &OverloadError{RetryAfter: time.Second, Reason: "the " + l.Image + " image is still being prepared"}
}

// Language is the first name of the state's language.
func (st *State) Language() string { return st.language.Names[0] }

// Speaks says whether cells may be written in a language, by any of its names.
func (st *State) Speaks(language string) bool { return slices.Contains(st.language.Names, language) }

// Mount is a state with the request's files and packages added.
//
// # Errors
//
// One or more [*InvalidError].
func (s *Service) Mount(ctx context.Context, st *State, r Request) (*State, error) {
	limits := s.limits(st.language, r.Limits)
	if err := st.language.checkPackages(&r); err != nil {
		return nil, err
	}
	layer, err := s.packageLayer(ctx, st.language, &r, limits, &Cell{From: st})
	if err != nil {
		return nil, err
	}
	return st.Edit(func(files *vfs.Tree) error {
		b := &sandbox{service: s, language: st.language, request: &r, limits: limits, files: files}
		if err := b.mount(ctx); err != nil || layer == nil {
			return err
		}
		return b.mountPackages(layer)
	})
}

// Cells is how many cells led to the state.
func (st *State) Cells() int { return st.cells }

// MemoryBytes is how much of the guest's memory differs from its image, in
// whole pages.
func (st *State) MemoryBytes() int64 {
	if st.memory == nil {
		return 0
	}
	return st.memory.Size()
}

// FileBytes is what the files hold.
func (st *State) FileBytes() int64 {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.files.Usage().Bytes
}

// Fork is another owner's hold of the same state: what starts from either is
// independent of the other. Nil if the state was closed.
func (st *State) Fork() *State { return st.with(st.fork()) }

// with is the state with other files; nil if it was closed.
func (st *State) with(files *vfs.Tree) *State {
	f := &State{language: st.language, memory: st.memory, cells: st.cells, bodies: st.bodies, uptime: st.uptime, system: st.system, files: files, room: st.room}
	if st.memory != nil && st.memory.Retain() == nil {
		return nil
	}
	return f
}

// Restart is the state with fresh memory, the warm image, and the same files.
// Nothing is open.
func (st *State) Restart() *State {
	files := st.fork()
	type use struct {
		ino     vfs.Ino
		handles uint32
	}
	var open []use
	files.Handles(func(ino vfs.Ino, _ vfs.Kind, handles uint32) { open = append(open, use{ino, handles}) })
	for _, u := range open {
		for range u.handles {
			files.Release(u.ino)
		}
	}
	return &State{language: st.language, files: files, room: st.room}
}

// Close gives the hold up.
func (st *State) Close() error {
	if st.memory == nil {
		return nil
	}
	return st.memory.Close()
}

// fork is a copy of the files.
func (st *State) fork() *vfs.Tree {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.files.Fork()
}

// View reads the files. They must not be changed, and not be used after f has
// returned.
func (st *State) View(f func(*vfs.Tree) error) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	return f(st.files)
}

// Edit is the state with its files changed by f.
func (st *State) Edit(f func(*vfs.Tree) error) (*State, error) {
	files := st.fork()
	if err := f(files); err != nil {
		return nil, err
	}
	edited := st.with(files)
	if edited == nil {
		return nil, isolate.ErrStateClosed
	}
	return edited, nil
}

// A Cell is an execution in a session: it starts from a state and leaves
// another one.
type Cell struct {
	From *State
	// Fresh has the guest's generators of random numbers start anew: From is a
	// copy, and others go on from it too.
	Fresh bool
	// Started, if not nil, is called when the program is about to run; interrupt
	// may be called from any goroutine, then and later. Of what is interrupted
	// the state survives where the guest can be told, and stays as it was
	// before where it can't, or where the program doesn't end within a second.
	Started func(interrupt func())
	// Commit, if not nil, is called with the state that the cell left, before
	// anyone is told of the cell's end: it makes the state durable. Its error
	// makes the cell an internalError, and the state void.
	Commit func(context.Context, *State) error
}

// ExecuteCell runs a request as a cell: its names stay for later ones. The
// state that it leaves is the caller's to close. It is nil where the program
// was stopped from outside of it, by a limit or a cancelation, or where nothing
// of it ran: the session is then as it was before.
//
// # Errors
//
// Those of Execute.
func (s *Service) ExecuteCell(ctx context.Context, id string, r Request, c Cell, emit func(Event)) (*Result, *State, error) {
	if l := s.language(r.Language); l != nil && l != c.From.language {
		return nil, nil, &InvalidError{"/language", fmt.Sprintf("the session's language is %s", c.From.Language())}
	}
	if r.Limits.FilesBytes != 0 {
		return nil, nil, &InvalidError{"/limits/files_bytes", "is the session's, which was told when it was made"}
	}
	return s.execute(ctx, id, &r, &c, emit)
}

// tree is the files that a sandbox starts with.
func (c *Cell) tree(base *vfs.Layer, limits Limits) *vfs.Tree {
	if c == nil {
		return vfs.New(vfs.Options{Base: base, Limits: vfs.Limits{Bytes: limits.FilesBytes}})
	}
	return c.From.fork()
}

// name is the program's name, which stacks show: a cell has its number.
func (c *Cell) name(inline string) string {
	return fmt.Sprintf("cell-%d%s", c.From.cells+1, path.Ext(inline))
}

// bodies is the last handle of a body that the guest may know of.
func (c *Cell) bodies() uint32 {
	if c == nil {
		return 0
	}
	return c.From.bodies
}

// uptime is what the clock shows that counts from the isolate's start.
func (c *Cell) uptime() time.Duration {
	if c == nil {
		return 0
	}
	return c.From.uptime
}

// had says whether a file was there before, with the same content.
func (c *Cell) had(name string, content []byte) bool {
	if c == nil {
		return false
	}
	same := false
	_ = c.From.View(func(t *vfs.Tree) error {
		before, err := t.Read(name)
		same = err == nil && bytes.Equal(before, content)
		return nil
	})
	return same
}

// begin makes a job one that starts from the cell's state.
func (c *Cell) begin(job *isolate.Job) {
	job.Event = uint32(op.EventCell)
	job.From, job.Fork, job.Keep = c.From.memory, c.Fresh, true
}

// stateSlack is how much more than its limit a state may hold, as an isolate
// may while it runs: the stack, and what allocators round.
const stateSlack = 2 << 20

// keep is the state that a cell left, if it left one. A cell whose state is
// past the limit of memory is told so, and leaves none.
func (b *sandbox) keep(ctx context.Context, report *isolate.Report) *State {
	kept := report.State
	if b.cell == nil || kept == nil {
		return nil
	}
	from := b.cell.From
	st := &State{language: b.language, memory: kept, cells: from.cells + 1, bodies: from.bodies, uptime: from.uptime + report.Usage.Wall, system: b.wasi, files: b.files, room: from.room}
	if b.network != nil {
		st.bodies = b.network.Bodies()
	}
	if b.bindings != nil {
		st.bodies = max(st.bodies, b.bindings.Bodies())
	}
	if held := kept.Size(); !b.memory && held > b.limits.MemoryBytes+stateSlack {
		b.failed = &Error{Name: "RangeError", Message: fmt.Sprintf("the session would hold %d MiB of memory, of %d MiB that it may", held>>20, b.limits.MemoryBytes>>20)}
		b.memory = true
	}
	var err error
	if !b.memory && b.cell.Commit != nil {
		// Who went away meanwhile does not undo what was done.
		if err = b.cell.Commit(context.WithoutCancel(ctx), st); err != nil {
			report.Outcome, report.Err = InternalError, err
		}
	}
	if b.memory || err != nil {
		// A guest that ran out of memory is in no state to go on from.
		if err := st.Close(); err != nil {
			b.service.config.Log.Error("a state could not be closed", "err", err)
		}
		return nil
	}
	return st
}
