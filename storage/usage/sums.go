package usage

import (
	"time"

	"mayfly/storage/sqlite"
)

// sums are the entries of a segment, added up.
type sums struct {
	hours    map[hourKey]*sum
	dynamics map[dynamicKey]*dynamicSum
	order    []dynamicKey // as they were first seen
}

type hourKey struct {
	hour                   int64
	tenant, parent, worker string
	kind                   Kind
	outcome                string
}

type sum struct {
	events, subrequests, dynamics int64
	cpu, wall                     time.Duration
}

type dynamicKey struct {
	day                      int64
	tenant, parent, id, code string
}

type dynamicSum struct {
	sum
	workers, errors int64
	first           hourKey // where it counts if it is new
}

// okOutcome is that of an event that went well.
const okOutcome = "ok"

// sumsOf adds up the entries of a segment. With an error it has those before the
// one that isn't whole.
func sumsOf(b []byte) (*sums, error) {
	s := &sums{hours: map[hourKey]*sum{}, dynamics: map[dynamicKey]*dynamicSum{}}
	for len(b) > 0 {
		e, rest, err := readEntry(b)
		if err != nil {
			return s, err
		}
		s.add(&e)
		b = rest
	}
	return s, nil
}

func (s *sums) add(e *Entry) {
	k := hourKey{hourOf(e.Time), e.Tenant, e.Parent, e.Worker, e.Kind, e.Outcome}
	if e.Dynamic {
		k.worker = ""
	}
	h := s.hours[k]
	if h == nil {
		h = &sum{}
		s.hours[k] = h
	}
	h.add(e)
	if !e.Dynamic {
		return
	}
	dk := dynamicKey{dayOf(e.Time), e.Tenant, e.Parent, e.Worker, string(e.Code)}
	if e.Worker == "" {
		dk.code = ""
	}
	d := s.dynamics[dk]
	if d == nil {
		d = &dynamicSum{first: k}
		if e.Worker != "" {
			d.workers = 1
		}
		s.dynamics[dk] = d
		s.order = append(s.order, dk)
	}
	d.add(e)
	if e.Outcome != okOutcome {
		d.errors++
	}
	if e.Worker == "" && e.First {
		d.workers++
		h.dynamics++
	}
}

func (s *sum) add(e *Entry) {
	s.events++
	s.subrequests += int64(e.Subrequests)
	s.cpu += e.CPU
	s.wall += e.Wall
}

// write adds the sums to the tables, and says how many dynamic workers were new.
// It may be called again, with another transaction.
func (s *sums) write(tx *sqlite.Tx) (unique int64, err error) {
	fresh := map[hourKey]int64{}
	for _, k := range s.order {
		d := s.dynamics[k]
		var seen int64
		err := tx.QueryRow("INSERT INTO dynamics (day, tenant, parent, id, code, workers, seen, events, errors, subrequests, cpu, wall) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?) "+
			"ON CONFLICT (day, tenant, parent, id, code) DO UPDATE SET seen = 1, workers = CASE id WHEN '' THEN workers + excluded.workers ELSE 1 END, events = events + excluded.events, "+
			"errors = errors + excluded.errors, subrequests = subrequests + excluded.subrequests, cpu = cpu + excluded.cpu, wall = wall + excluded.wall RETURNING seen",
			[]any{k.day, k.tenant, k.parent, k.id, []byte(k.code), d.workers, d.events, d.errors, d.subrequests, int64(d.cpu), int64(d.wall)}, &seen)
		if err != nil {
			return 0, err
		}
		if k.id != "" && seen == 0 {
			fresh[d.first]++
			unique++
		}
	}
	for k, h := range s.hours {
		unique += h.dynamics
		_, err := tx.Exec("INSERT INTO hours (hour, tenant, parent, worker, kind, outcome, events, subrequests, cpu, wall, dynamics) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "+
			"ON CONFLICT (hour, tenant, parent, worker, kind, outcome) DO UPDATE SET events = events + excluded.events, subrequests = subrequests + excluded.subrequests, "+
			"cpu = cpu + excluded.cpu, wall = wall + excluded.wall, dynamics = dynamics + excluded.dynamics",
			k.hour, k.tenant, k.parent, k.worker, int(k.kind), k.outcome, h.events, h.subrequests, int64(h.cpu), int64(h.wall), h.dynamics+fresh[k])
		if err != nil {
			return 0, err
		}
	}
	return unique, nil
}
