// Package schedule has workers handle the times of their crons.
package schedule

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// An Expression says at which minutes something is due, in UTC: five fields, as
// Workers has them (Cron Triggers), which are those of cron with Quartz's L, W and
// #, and 1 for Sunday.
type Expression struct {
	minutes uint64
	hours   uint32
	months  uint32 // bit 1 is January
	days    uint32 // bit 1 is the first

	anyDay     bool // of the month: the field is *
	anyWeekday bool
	weekdays   uint8   // bit 0 is Sunday
	fromEnd    []int   // L-n: days before the month's last one
	nearest    []int   // nW: the weekday nearest to day n
	lastWork   bool    // LW: the month's last weekday
	saturday   bool    // L
	last       uint8   // nL: bits of weekdays
	nth        []ofNth // n#m
}

type ofNth struct {
	weekday time.Weekday
	n       int
}

// An Error says what is wrong with an expression.
type Error struct{ Field, Problem string }

func (e *Error) Error() string { return e.Field + ": " + e.Problem }

// maxExpression is the length of expressions in bytes.
const maxExpression = 256

var (
	monthNames   = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	weekdayNames = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

// A field is one of an expression's.
type field struct {
	name     string
	min, max int
	names    []string // of min and the following
}

var fields = [...]field{
	{"minute", 0, 59, nil}, {"hour", 0, 23, nil}, {"day of month", 1, 31, nil}, {"month", 1, 12, monthNames}, {"day of week", 1, 7, weekdayNames},
}

// Parse reads an expression.
//
// # Errors
//
// An [*Error].
func Parse(text string) (*Expression, error) {
	if len(text) > maxExpression {
		return nil, &Error{"the expression", fmt.Sprintf("has more than %d characters", maxExpression)}
	}
	parts := strings.Fields(strings.ToUpper(text))
	if len(parts) != len(fields) {
		return nil, &Error{"the expression", fmt.Sprintf("has %d fields: expected minute, hour, day of month, month, day of week", len(parts))}
	}
	x := &Expression{}
	var sets [len(fields)]uint64
	for i := range fields {
		f := &fields[i]
		for item := range strings.SplitSeq(parts[i], ",") {
			special, err := x.special(i, item)
			if err == nil && !special {
				err = f.add(&sets[i], item)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	x.minutes, x.hours, x.days, x.months = sets[0], uint32(sets[1]), uint32(sets[2]), uint32(sets[3])
	x.weekdays = uint8(sets[4] >> 1)
	x.anyDay, x.anyWeekday = every(parts[2]), every(parts[4])
	if x.anyWeekday && !x.anyDay && !x.possible() {
		return nil, &Error{"day of month", "there is no such day in any of the months"}
	}
	return x, nil
}

func every(part string) bool { return part == "*" || part == "?" }

// possible says whether a month has one of the days.
func (x *Expression) possible() bool {
	if len(x.fromEnd) > 0 || len(x.nearest) > 0 || x.lastWork {
		return true
	}
	first := bits.TrailingZeros32(x.days)
	for month := time.January; month <= time.December; month++ {
		if x.months&(1<<month) != 0 && first <= lastOf(2000, month) {
			return true
		}
	}
	return false
}

// special reads what only the fields of days have.
func (x *Expression) special(i int, item string) (bool, error) {
	f := &fields[i]
	switch f.name {
	case "day of month":
		switch {
		case item == "L":
			x.fromEnd = append(x.fromEnd, 0)
			return true, nil
		case item == "LW" || item == "WL":
			x.lastWork = true
			return true, nil
		case strings.HasPrefix(item, "L-"):
			n, err := number(item[2:])
			if err != nil || n > 30 {
				return false, f.wrong(item)
			}
			x.fromEnd = append(x.fromEnd, n)
			return true, nil
		case strings.HasSuffix(item, "W"):
			n, err := f.value(strings.TrimSuffix(item, "W"))
			if err != nil {
				return false, f.wrong(item)
			}
			x.nearest = append(x.nearest, n)
			return true, nil
		}
	case "day of week":
		if item == "L" { // the week's last day, as in Quartz
			x.saturday = true
			return true, nil
		}
		if day, ok := strings.CutSuffix(item, "L"); ok {
			n, err := f.value(day)
			if err != nil {
				return false, f.wrong(item)
			}
			x.last |= 1 << (n - 1)
			return true, nil
		}
		if day, which, ok := strings.Cut(item, "#"); ok {
			n, err := f.value(day)
			m, err2 := number(which)
			if err != nil || err2 != nil || m < 1 || m > 5 {
				return false, f.wrong(item)
			}
			x.nth = append(x.nth, ofNth{time.Weekday(n - 1), m})
			return true, nil
		}
	}
	return false, nil
}

func (f *field) wrong(item string) error {
	of := fmt.Sprintf("a number from %d to %d", f.min, f.max)
	if f.names != nil {
		of += fmt.Sprintf(" or %s to %s", f.names[0], f.names[len(f.names)-1])
	}
	return &Error{f.name, fmt.Sprintf("%q is not valid: expected *, %s, a range, or one of these with /step", item, of)}
}

func number(text string) (int, error) {
	if len(text) == 0 || len(text) > 2 || text[0] < '0' || text[0] > '9' {
		return 0, strconv.ErrSyntax
	}
	return strconv.Atoi(text)
}

// value is a number or name.
func (f *field) value(text string) (int, error) {
	for i, name := range f.names {
		if text == name {
			return f.min + i, nil
		}
	}
	n, err := number(text)
	if err == nil && (n < f.min || n > f.max) {
		err = strconv.ErrRange
	}
	return n, err
}

// add adds an item to a field's set.
func (f *field) add(set *uint64, item string) error {
	span, stepText, stepped := strings.Cut(item, "/")
	step := 1
	if stepped {
		var err error
		if step, err = number(stepText); err != nil || step < 1 {
			return f.wrong(item)
		}
	}
	first, last := f.min, f.max
	if span != "*" && !(span == "?" && strings.HasPrefix(f.name, "day")) {
		from, to, ranged := strings.Cut(span, "-")
		var err error
		if first, err = f.value(from); err != nil {
			return f.wrong(item)
		}
		switch {
		case ranged:
			if last, err = f.value(to); err != nil {
				return f.wrong(item)
			}
			if last < first {
				if f.names == nil {
					return &Error{f.name, fmt.Sprintf("%q ends before it begins", item)}
				}
				last += f.max - f.min + 1 // FRI-MON
			}
		case !stepped:
			last = first
		}
	}
	for n := first; n <= last; n += step {
		*set |= 1 << (f.min + (n-f.min)%(f.max-f.min+1))
	}
	return nil
}

// Match says whether the minute of a time is due.
func (x *Expression) Match(t time.Time) bool {
	t = t.UTC()
	if x.minutes&(1<<t.Minute()) == 0 || x.hours&(1<<t.Hour()) == 0 || x.months&(1<<t.Month()) == 0 {
		return false
	}
	// As in cron, either of the fields of days counts where both say something.
	switch {
	case x.anyDay && x.anyWeekday:
		return true
	case x.anyDay:
		return x.matchWeekday(t)
	case x.anyWeekday:
		return x.matchDay(t)
	}
	return x.matchDay(t) || x.matchWeekday(t)
}

// lastOf is the number of days of a month.
func lastOf(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func (x *Expression) matchDay(t time.Time) bool {
	day, last := t.Day(), lastOf(t.Year(), t.Month())
	if x.days&(1<<day) != 0 {
		return true
	}
	for _, n := range x.fromEnd {
		if day == last-n {
			return true
		}
	}
	if t.Weekday() == time.Sunday || t.Weekday() == time.Saturday {
		return false // the others are weekdays
	}
	for _, n := range x.nearest {
		if day == nearestTo(t, n, last) {
			return true
		}
	}
	return x.lastWork && day == nearestTo(t, last, last)
}

// nearestTo is the weekday nearest to a day of a time's month; 0 if the month has
// no such day.
func nearestTo(t time.Time, day, last int) int {
	if day > last {
		return 0
	}
	weekday := (int(t.Weekday()) + day - t.Day() + 35) % 7
	switch time.Weekday(weekday) {
	case time.Saturday:
		if day == 1 {
			return 3
		}
		return day - 1
	case time.Sunday:
		if day == last {
			return day - 2
		}
		return day + 1
	}
	return day
}

func (x *Expression) matchWeekday(t time.Time) bool {
	day := t.Weekday()
	if x.weekdays&(1<<day) != 0 || x.saturday && day == time.Saturday || x.last&(1<<day) != 0 && t.Day() > lastOf(t.Year(), t.Month())-7 {
		return true
	}
	for _, n := range x.nth {
		if n.weekday == day && (t.Day()-1)/7+1 == n.n {
			return true
		}
	}
	return false
}
