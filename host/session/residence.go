package session

import (
	"context"
	"errors"
	"time"

	"mayfly/host/execution"
)

// hold makes a state the session's, in place of the one that it had. The caller
// has the session's turn.
func (s *Service) hold(x *session, state *execution.State) {
	bytes := state.MemoryBytes() + state.FileBytes()
	x.mu.Lock()
	old := x.state
	x.state = state
	x.mu.Unlock()
	s.mu.Lock()
	s.bytes += bytes - x.resident
	x.resident = bytes
	if x.place == nil {
		x.place = s.resident.PushFront(x)
	} else {
		s.resident.MoveToFront(x.place)
	}
	s.mu.Unlock()
	s.release(x, old)
}

// drop lets go of a session's state in memory.
func (s *Service) drop(x *session) {
	x.mu.Lock()
	old := x.state
	x.state, x.places = nil, nil
	x.mu.Unlock()
	s.mu.Lock()
	if x.place != nil {
		s.resident.Remove(x.place)
		s.bytes -= x.resident
		x.place, x.resident = nil, 0
	}
	s.mu.Unlock()
	s.release(x, old)
}

func (s *Service) release(x *session, state *execution.State) {
	if state == nil {
		return
	}
	if err := state.Close(); err != nil {
		s.config.Log.Error("a session's state could not be released", "session", x.id, "err", err)
	}
}

// load is the session's state, from disk if need be. The caller has the
// session's turn, and the state is the session's.
func (s *Service) load(x *session) (*execution.State, error) {
	x.mu.Lock()
	state := x.state
	x.mu.Unlock()
	if state != nil {
		s.mu.Lock()
		if x.place != nil {
			s.resident.MoveToFront(x.place)
		}
		s.mu.Unlock()
		return state, nil
	}
	state, err := s.read(x)
	if err != nil {
		return nil, err
	}
	s.hold(x, state)
	return state, nil
}

// shrink takes states out of memory, those first that were not used for
// longest, until the rest is within the budget. They are on disk already.
func (s *Service) shrink() { s.shrinkTo(s.config.MemoryBudget) }

// Relieve takes states out of memory until so many bytes of them are gone, for
// want of memory: those first that were not used for longest.
func (s *Service) Relieve(excess int64) {
	s.mu.Lock()
	most := max(0, s.bytes-excess)
	s.mu.Unlock()
	s.shrinkTo(most)
}

func (s *Service) shrinkTo(most int64) {
	for {
		s.mu.Lock()
		var victim *session
		if s.bytes > most {
			for e := s.resident.Back(); e != nil && victim == nil; e = e.Prev() {
				x := e.Value.(*session)
				select {
				case <-x.turn: // nobody uses it
					victim = x
				default:
				}
			}
		}
		s.mu.Unlock()
		if victim == nil {
			return
		}
		s.drop(victim)
		victim.turn <- struct{}{}
	}
}

// watchPeriod is how often sessions are looked through that nobody uses.
const watchPeriod = time.Second

func (s *Service) watch() {
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	for {
		select {
		case <-s.life.Done():
			return
		case <-tick.C:
			if err := s.Sweep(); err != nil {
				s.config.Log.Error("sessions that nobody uses", "err", err)
			}
		}
	}
}

// Sweep hibernates the sessions whose idle time-out has passed, and deletes
// those that are no longer kept. The service does so by itself.
func (s *Service) Sweep() error {
	now := s.config.Now()
	s.mu.Lock()
	var due []*session
	for _, x := range s.sessions {
		x.mu.Lock()
		idle := x.state != nil && now.Sub(x.used) >= x.record.IdleTimeout
		expires := x.expires(s.config.Keep)
		if idle || !expires.IsZero() && !now.Before(expires) {
			due = append(due, x)
		}
		x.mu.Unlock()
	}
	s.mu.Unlock()
	var errs []error
	for _, x := range due {
		select {
		case <-x.turn:
		default:
			continue // in use
		}
		x.mu.Lock()
		expires := x.expires(s.config.Keep)
		expired := !expires.IsZero() && !now.Before(expires)
		idle := now.Sub(x.used) >= x.record.IdleTimeout
		x.mu.Unlock()
		switch {
		case expired && x.doom(true):
			errs = append(errs, s.remove(x))
			continue
		case idle:
			errs = append(errs, s.noteUse(x))
			s.drop(x)
		}
		x.turn <- struct{}{}
	}
	return errors.Join(errs...)
}

// noteUse writes down when a session was used, if that is not.
func (s *Service) noteUse(x *session) error {
	x.mu.Lock()
	next := x.record
	next.Used = x.used
	same := next.Used.Equal(x.record.Used)
	x.mu.Unlock()
	if same {
		return nil
	}
	if err := s.putRecord(context.Background(), x, &next); err != nil {
		return err
	}
	x.mu.Lock()
	x.record = next
	x.mu.Unlock()
	return nil
}
