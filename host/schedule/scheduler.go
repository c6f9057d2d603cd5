package schedule

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Config configures a Scheduler. All but Log, Now and Sleep is required.
type Config struct {
	// Each calls f with every worker that has crons.
	Each func(f func(tenant, name string, crons []string))
	// Scheduled has a worker handle a time.
	Scheduled func(ctx context.Context, tenant, name string, at time.Time, cron string) error
	// Claim takes the right to fire the crons of a minute (from 1970). It is
	// given once, to one process, and for no minute before one that was taken.
	Claim func(ctx context.Context, minute int64) (bool, error)
	Log   *slog.Logger                                                  // nil: slog.Default()
	Now   func() time.Time                                              // nil: time.Now
	Sleep func(ctx context.Context, until time.Time) (interrupted bool) // nil: until the clock has come there
}

// Bounds of firing.
const (
	maxFiring = 64               // workers that handle a time at once
	maxRun    = 15 * time.Minute // that one may take, as in Workers
)

// A Scheduler has workers handle the times of their crons: each once. Minutes at
// which no process runs are skipped, and so is the rest of a minute in which one
// was killed.
type Scheduler struct {
	config Config
	places chan struct{}
	end    context.CancelFunc
	done   chan struct{}
	firing sync.WaitGroup

	parsed map[string]*Expression // nil: it is no expression
}

// Start makes a scheduler, which goes on until it is closed.
func Start(config Config) *Scheduler {
	if config.Log == nil {
		config.Log = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Sleep == nil {
		config.Sleep = sleep
	}
	ctx, end := context.WithCancel(context.Background())
	s := &Scheduler{config: config, places: make(chan struct{}, maxFiring), end: end, done: make(chan struct{}), parsed: map[string]*Expression{}}
	go s.loop(ctx)
	return s
}

func sleep(ctx context.Context, until time.Time) bool {
	// Not much at once: the clock may be set meanwhile, or the machine sleep.
	timer := time.NewTimer(min(time.Until(until), 10*time.Second))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return true
	case <-timer.C:
		return false
	}
}

// Close ends the scheduler, and what its workers handle.
func (s *Scheduler) Close() {
	s.end()
	<-s.done
	s.firing.Wait()
}

func (s *Scheduler) loop(ctx context.Context) {
	defer close(s.done)
	// The minute that has begun may be new to everybody, but is not whole.
	last := s.config.Now().Truncate(time.Minute)
	for {
		if s.config.Sleep(ctx, s.config.Now().Truncate(time.Minute).Add(time.Minute)) {
			return
		}
		minute := s.config.Now().Truncate(time.Minute)
		if !minute.After(last) {
			continue
		}
		last = minute
		s.fire(ctx, minute)
	}
}

// A due is a worker with a cron that is.
type due struct{ tenant, name, cron string }

// maxParsed bounds the expressions that are remembered.
const maxParsed = 100_000

// due are the crons of a minute.
func (s *Scheduler) due(minute time.Time) (list []due) {
	s.config.Each(func(tenant, name string, crons []string) {
		for _, cron := range crons {
			x, known := s.parsed[cron]
			if !known {
				if len(s.parsed) >= maxParsed {
					clear(s.parsed)
				}
				x, _ = Parse(cron) // it was checked when it was deployed
				s.parsed[cron] = x
			}
			if x != nil && x.Match(minute) {
				list = append(list, due{tenant, name, cron})
			}
		}
	})
	return list
}

func (s *Scheduler) fire(ctx context.Context, minute time.Time) {
	list := s.due(minute)
	if len(list) == 0 {
		return
	}
	claimed, err := s.config.Claim(ctx, minute.Unix()/60)
	if err != nil && ctx.Err() == nil {
		s.config.Log.Error("crons were skipped: their minute could not be noted", "minute", minute, "count", len(list), "err", err)
	}
	if err != nil || !claimed {
		return
	}
	s.firing.Go(func() {
		for _, d := range list {
			select {
			case s.places <- struct{}{}:
			case <-ctx.Done():
				return
			}
			s.firing.Go(func() {
				defer func() { <-s.places }()
				run, cancel := context.WithTimeout(ctx, maxRun)
				defer cancel()
				if err := s.config.Scheduled(run, d.tenant, d.name, minute, d.cron); err != nil && ctx.Err() == nil {
					s.config.Log.Debug("a worker failed at a time of its crons", "tenant", d.tenant, "worker", d.name, "cron", d.cron, "err", err)
				}
			})
		}
	})
}
