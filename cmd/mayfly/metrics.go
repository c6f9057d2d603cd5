package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"mayfly/host/session"
	"mayfly/runtime/isolate"
	"mayfly/storage/usage"
)

// newRegistry has the metrics of the process, of the runtime and of sessions; the API adds
// those of requests.
func newRegistry(r *isolate.Runtime, sessions *session.Service, counted *usage.Recorder) *prometheus.Registry {
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
	registry.MustRegister(usageCollector{counted})
	return registry
}

// A usageCollector shows what was used since the process began. Its labels have few
// values: who used it is told by GET /v1/usage.
type usageCollector struct{ recorder *usage.Recorder }

var (
	usageLabels      = []string{"kind", "outcome"}
	usageEvents      = prometheus.NewDesc("mayfly_usage_events_total", "Events and executions that ended, by kind and outcome.", usageLabels, nil)
	usageSubrequests = prometheus.NewDesc("mayfly_usage_subrequests_total", "Requests that these made.", usageLabels, nil)
	usageCPU         = prometheus.NewDesc("mayfly_usage_cpu_seconds_total", "Processor time that they used.", usageLabels, nil)
	usageWall        = prometheus.NewDesc("mayfly_usage_wall_seconds_total", "Time that they took.", usageLabels, nil)
	usageDynamics    = prometheus.NewDesc("mayfly_usage_dynamic_workers_total", "Dynamic workers, each once for each UTC day on which it was used.", nil, nil)
	usageLost        = prometheus.NewDesc("mayfly_usage_lost_total", "Entries of usage that could not be written.", nil, nil)
)

// Describe implements prometheus.Collector.
func (usageCollector) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{usageEvents, usageSubrequests, usageCPU, usageWall, usageDynamics, usageLost} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (u usageCollector) Collect(c chan<- prometheus.Metric) {
	s := u.recorder.Stats()
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	for _, t := range s.Totals {
		counter(usageEvents, float64(t.Events), t.Kind.String(), t.Outcome)
		counter(usageSubrequests, float64(t.Subrequests), t.Kind.String(), t.Outcome)
		counter(usageCPU, t.CPU.Seconds(), t.Kind.String(), t.Outcome)
		counter(usageWall, t.Wall.Seconds(), t.Kind.String(), t.Outcome)
	}
	counter(usageDynamics, float64(s.Dynamics))
	counter(usageLost, float64(s.Lost))
}
