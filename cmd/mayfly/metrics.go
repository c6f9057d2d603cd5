package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"mayfly/host/session"
	"mayfly/runtime/isolate"
)

// newRegistry has the metrics of the process, of the runtime and of sessions; the API adds
// those of requests.
func newRegistry(r *isolate.Runtime, sessions *session.Service) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, m := range []struct {
		name, help string
		value      func(isolate.Stats) float64
	}{
		{"mayfly_processors", "Guests that may run at once.", func(s isolate.Stats) float64 { return float64(s.Processors) }},
		{"mayfly_processors_busy", "Guests that run.", func(s isolate.Stats) float64 { return float64(s.Running) }},
		{"mayfly_waiting", "Isolates that wait for a processor.", func(s isolate.Stats) float64 { return float64(s.Waiting) }},
		{"mayfly_queued", "Executions that wait for admission.", func(s isolate.Stats) float64 { return float64(s.Queued) }},
		{"mayfly_isolates_lasting", "Isolates that rest, or have run for a while.", func(s isolate.Stats) float64 { return float64(s.Lasting) }},
		{"mayfly_memory_resident_bytes", "Resident memory that is this process's own.", func(s isolate.Stats) float64 { return float64(s.Resident) }},
		{"mayfly_memory_budget_bytes", "Resident memory above which nothing is admitted.", func(s isolate.Stats) float64 { return float64(s.Budget) }},
	} {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: m.name, Help: m.help}, func() float64 { return m.value(r.Stats()) }))
	}
	for _, m := range []struct {
		name, help string
		value      func(session.Stats) float64
	}{
		{"mayfly_sessions", "Sessions, on disk and in memory.", func(s session.Stats) float64 { return float64(s.Sessions) }},
		{"mayfly_sessions_resident", "Sessions whose state is in memory.", func(s session.Stats) float64 { return float64(s.Resident) }},
		{"mayfly_sessions_resident_bytes", "What the states in memory hold; what is shared counts in each.", func(s session.Stats) float64 { return float64(s.Bytes) }},
		{"mayfly_sessions_budget_bytes", "Above it states are on disk only.", func(s session.Stats) float64 { return float64(s.Budget) }},
	} {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: m.name, Help: m.help}, func() float64 { return m.value(sessions.Stats()) }))
	}
	return registry
}
