package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"mayfly/host/execution"
)

// Execute runs a request as the session's next cell, after those that came
// before it. Of the request, Language may be left out, Env is added to the
// session's, and so are Bindings; Limits and Network hold for this cell instead of the session's
// where they are given. The state that the cell leaves is durable before emit
// is told of the cell's end.
//
// # Errors
//
// Those of execution.Service.Execute; ErrNotFound; an
// [*execution.OverloadError] also if too many wait for the session; an
// [*execution.StateError] if the stored state can't be used (Restart mends
// that); ErrRestarted if the session was restarted meanwhile.
func (s *Service) Execute(ctx context.Context, tenant, id, executionID string, r execution.Request, emit func(execution.Event)) (*execution.Result, error) {
	x, err := s.find(tenant, id)
	if err != nil {
		return nil, err
	}
	restarts := x.restartCount()
	if x, err = s.take(ctx, tenant, id); err != nil {
		return nil, err
	}
	defer s.give(x)
	if x.restartCount() != restarts {
		return nil, ErrRestarted // it was meant for the memory that is gone
	}
	x.complete(&r)
	state, err := s.load(x)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	x.began(cancel)
	defer x.ended()
	cell := execution.Cell{
		From:    state,
		Fresh:   x.copied(),
		Started: x.started,
		Commit: func(ctx context.Context, next *execution.State) error {
			return s.write(ctx, x, next, afterCell)
		},
	}
	result, next, err := s.config.Executor.ExecuteCell(ctx, executionID, r, cell, emit)
	if next != nil {
		s.hold(x, next)
	}
	return result, err
}

// Complete fills in what a cell of the session has from it, for looking at the
// request before it runs.
func (s *Service) Complete(tenant, id string, r *execution.Request) error {
	x, err := s.find(tenant, id)
	if err != nil {
		return err
	}
	x.complete(r)
	return nil
}

func (x *session) complete(r *execution.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	own := &x.record
	if r.Language == "" {
		r.Language = own.Language
	}
	r.Tenant = x.tenant
	if len(own.Env) > 0 {
		env := maps.Clone(own.Env)
		maps.Copy(env, r.Env)
		r.Env = env
	}
	files := r.Limits.FilesBytes // which is refused
	r.Limits = r.Limits.Or(own.Limits)
	r.Limits.FilesBytes = files
	if r.Network.Allow == nil {
		r.Network = own.Network
	}
	for _, b := range own.Bindings {
		if !slices.ContainsFunc(r.Bindings, func(x execution.Binding) bool { return x.Name == b.Name }) {
			r.Bindings = append(slices.Clip(r.Bindings), b)
		}
	}
}

func (x *session) copied() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.record.Copied
}

// began notes that a cell is under way, and how to cancel it.
func (x *session) began(cancel context.CancelCauseFunc) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cancel, x.interrupt, x.asked = cancel, nil, false
	if x.deleted {
		cancel(ErrDeleted)
	}
}

func (x *session) restartCount() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.restarts
}

// started notes how to interrupt the cell that is under way.
func (x *session) started(interrupt func()) {
	x.mu.Lock()
	x.interrupt = interrupt
	asked := x.asked
	x.mu.Unlock()
	if asked {
		interrupt()
	}
}

func (x *session) ended() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cancel, x.interrupt = nil, nil
}

// Interrupt asks the cell that runs to end: the program sees an error of its
// language (KeyboardInterrupt in Python; in JavaScript one that can't be
// caught), and what it did so far stays. One that does not end within a second
// is canceled, and the session is as it was before the cell. running is false
// if there was nothing to interrupt.
func (s *Service) Interrupt(tenant, id string) (running bool, err error) {
	x, err := s.find(tenant, id)
	if err != nil {
		return false, err
	}
	x.mu.Lock()
	interrupt := x.interrupt
	running = x.cancel != nil
	x.asked = running
	x.mu.Unlock()
	if interrupt != nil {
		interrupt()
	}
	return running, nil
}

// Restart gives a session fresh memory: its language's warm image. Its files
// stay. What runs in it is canceled, and executions that wait for it fail with
// ErrRestarted.
func (s *Service) Restart(ctx context.Context, tenant, id string) (Info, error) {
	x, err := s.find(tenant, id)
	if err != nil {
		return Info{}, err
	}
	x.mu.Lock()
	x.restarts++
	if x.cancel != nil {
		x.cancel(ErrRestarted)
	}
	x.mu.Unlock()
	if x, err = s.take(ctx, tenant, id); err != nil {
		return Info{}, err
	}
	defer s.give(x)
	fresh, err := s.restarted(ctx, x)
	if err != nil {
		return Info{}, err
	}
	if err := s.write(ctx, x, fresh, allNew); err != nil {
		return Info{}, errors.Join(err, fresh.Close())
	}
	s.hold(x, fresh)
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.info(s.config.Keep), nil
}

// restarted is the session's state with fresh memory. Where the stored one
// can't be used, even its files may be lost.
func (s *Service) restarted(ctx context.Context, x *session) (*execution.State, error) {
	var unusable *execution.StateError
	state, err := s.load(x)
	switch {
	case err == nil:
		return state.Restart(), nil
	case !errors.As(err, &unusable):
		return nil, err
	}
	rest, _, err := s.readState(x)
	if err == nil {
		state, err = s.config.Executor.OpenFiles(rest)
	}
	if err == nil {
		return state, nil
	}
	s.config.Log.Error("a session's files could not be kept at its restart", "session", x.id, "err", err)
	x.mu.Lock()
	o := Options{Tenant: x.tenant, Language: x.record.Language, Limits: x.record.Limits, Network: x.record.Network, Bindings: x.record.Bindings}
	x.mu.Unlock()
	if state, err = s.config.Executor.NewState(ctx, o.request()); err != nil {
		return nil, fmt.Errorf("session %s: %w", x.id, err)
	}
	return state, nil
}
