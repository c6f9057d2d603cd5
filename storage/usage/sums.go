package usage

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"mayfly/storage/sqlite"
)

// sums are the entries of a segment, added up.
type sums struct {
	hours    map[hourKey]*sum
	dynamics map[dynamicKey]*dynamicSum
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

// compare orders keys as the table does.
func (k dynamicKey) compare(l dynamicKey) int {
	return cmp.Or(cmp.Compare(k.day, l.day), strings.Compare(k.tenant, l.tenant), strings.Compare(k.parent, l.parent), strings.Compare(k.id, l.id), strings.Compare(k.code, l.code))
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

// batch is how many dynamic workers one statement adds: each statement costs more
// than a row.
const batch = 50

var dynamicStatements = [...]string{dynamicStatement(1), dynamicStatement(batch)}

func dynamicStatement(rows int) string {
	return "INSERT INTO dynamics (day, tenant, parent, id, code, workers, seen, events, errors, subrequests, cpu, wall) VALUES " +
		strings.TrimSuffix(strings.Repeat("(?1, ?2, ?3, ?, ?, ?, 0, ?, ?, ?, ?, ?), ", rows), ", ") +
		" ON CONFLICT (day, tenant, parent, id, code) DO UPDATE SET seen = 1, workers = CASE id WHEN '' THEN workers + excluded.workers ELSE 1 END, events = events + excluded.events, " +
		"errors = errors + excluded.errors, subrequests = subrequests + excluded.subrequests, cpu = cpu + excluded.cpu, wall = wall + excluded.wall RETURNING id, code, seen"
}

// writeDynamics adds dynamic workers of one day and parent, and calls fresh with
// those that are new.
func (s *sums) writeDynamics(tx *sqlite.Tx, keys []dynamicKey, fresh func(dynamicKey)) error {
	for len(keys) > 0 {
		n, statement := 1, dynamicStatements[0]
		if len(keys) >= batch {
			n, statement = batch, dynamicStatements[1]
		}
		args := append(make([]any, 0, 3+8*n), keys[0].day, keys[0].tenant, keys[0].parent)
		for _, k := range keys[:n] {
			d := s.dynamics[k]
			args = append(args, k.id, []byte(k.code), d.workers, d.events, d.errors, d.subrequests, int64(d.cpu), int64(d.wall))
		}
		rows, err := tx.Query(statement, args...)
		if err != nil {
			return err
		}
		for rows.Next() {
			k := keys[0]
			var code []byte
			var seen int64
			if err := rows.Scan(&k.id, &code, &seen); err != nil {
				return errors.Join(err, rows.Close())
			}
			if k.code = string(code); seen == 0 && k.id != "" {
				fresh(k)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// write adds the sums to the tables, and says how many dynamic workers were new.
// It may be called again, with another transaction.
func (s *sums) write(tx *sqlite.Tx) (unique int64, err error) {
	fresh := map[hourKey]int64{}
	keys := slices.SortedFunc(maps.Keys(s.dynamics), dynamicKey.compare)
	for len(keys) > 0 {
		n := 1
		for n < len(keys) && keys[n].day == keys[0].day && keys[n].tenant == keys[0].tenant && keys[n].parent == keys[0].parent {
			n++
		}
		err := s.writeDynamics(tx, keys[:n], func(k dynamicKey) {
			fresh[s.dynamics[k].first]++
			unique++
		})
		if err != nil {
			return 0, err
		}
		keys = keys[n:]
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
