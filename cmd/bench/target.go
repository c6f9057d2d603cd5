package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A target is a number that a measurement has to reach.
type target struct {
	what      string
	must, aim float64
	atLeast   bool   // higher is better; else lower is
	unit      string // printed after a number: "µs", "×"
}

// result is a measured target.
type result struct {
	target
	measured float64
	rounds   []float64 // that measured is the median of
	detail   string    // how it was measured, and its absolute numbers
	verdict  string
}

// Verdicts.
const (
	metAim  = "met aim"
	metMust = "met must"
	missed  = "missed"
)

func (r *result) judge() string {
	reached := func(bound float64) bool {
		if r.atLeast {
			return r.measured >= bound
		}
		return r.measured <= bound
	}
	switch {
	case math.IsNaN(r.measured):
		return missed
	case reached(r.aim):
		return metAim
	case reached(r.must):
		return metMust
	}
	return missed
}

// shown is the measured value as a person reads it.
func (r *result) shown() string { return number(r.measured) + r.unit }

func (t *target) bound(v float64) string {
	return pick(t.atLeast, "≥ ", "≤ ") + number(v) + t.unit
}

// number is v with three digits, or all digits before the point.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1000:
		s := fmt.Sprintf("%.0f", v)
		for i := len(s) - 3; i > len(s)-len(strings.TrimPrefix(s, "-")); i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case a >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func printTable(out io.Writer, results []result) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TARGET\tMUST\tAIM\tMEASURED\tVERDICT")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.what, r.bound(r.must), r.bound(r.aim), r.shown(), r.verdict)
	}
	w.Flush()
}

// printJSON prints the results as one line.
func printJSON(out io.Writer, machine string, quick bool, took time.Duration, results []result) error {
	type row struct {
		Target   string    `json:"target"`
		Must     float64   `json:"must"`
		Aim      float64   `json:"aim"`
		AtLeast  bool      `json:"at_least"`
		Unit     string    `json:"unit"`
		Measured float64   `json:"measured"`
		Rounds   []float64 `json:"rounds,omitempty"`
		Verdict  string    `json:"verdict"`
		Detail   string    `json:"detail"`
	}
	report := struct {
		Time    time.Time `json:"time"`
		Machine string    `json:"machine"`
		Quick   bool      `json:"quick"`
		Seconds float64   `json:"seconds"`
		Results []row     `json:"results"`
	}{Time: time.Now().UTC().Truncate(time.Second), Machine: machine, Quick: quick, Seconds: took.Seconds(), Results: []row{}}
	for _, r := range results {
		report.Results = append(report.Results, row{r.what, r.must, r.aim, r.atLeast, strings.TrimSpace(r.unit), r.measured, r.rounds, r.verdict, r.detail})
	}
	return json.NewEncoder(out).Encode(report)
}

// describeMachine says where the numbers come from.
func describeMachine() string {
	parts := []string{runtime.GOOS + "/" + runtime.GOARCH, fmt.Sprintf("%d cores", runtime.NumCPU())}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(text), "model name"); ok {
			model, _, _ := strings.Cut(rest, "\n")
			parts = append(parts, strings.TrimLeft(model, "\t :"))
		}
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ := strings.Cut(string(text), " ")
		parts = append(parts, "load "+load)
	}
	return strings.Join(append(parts, runtime.Version()), ", ")
}

// median is the middle of values, or the mean of the two in the middle; NaN
// without values.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	return (s[(n-1)/2] + s[n/2]) / 2
}

// quantile is the value below which the share q of the values lies; it sorts
// them.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)-1, int(q*float64(len(values))))]
}

func geometricMean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += math.Log(v)
	}
	return math.Exp(sum / float64(len(values)))
}
