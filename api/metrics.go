package api

import (
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mayfly/host/execution"
)

// metrics are what /metrics shows of this layer; the layers below register
// their own in the same registry.
type metrics struct {
	handler     http.Handler
	executions  *prometheus.CounterVec // language, outcome
	refused     *prometheus.CounterVec // reason
	requests    *prometheus.CounterVec // code
	seconds     *prometheus.HistogramVec
	running     prometheus.Gauge
	streams     prometheus.Gauge
	recordsLost prometheus.Counter

	// Looking a child up by its labels costs more than counting, so those of
	// the hot path are kept.
	mu       sync.Mutex // of who adds a child
	children atomic.Pointer[map[childKey]*executionMetrics]
	codes    [600]atomic.Pointer[prometheus.Counter]
}

type childKey struct {
	language string
	outcome  execution.Outcome
}

type executionMetrics struct {
	total                     prometheus.Counter
	wall, cpu, queue, startup prometheus.Observer
}

func newMetrics(registry *prometheus.Registry) (*metrics, error) {
	if registry == nil {
		registry = prometheus.NewRegistry()
		registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	m := &metrics{
		handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}),
		executions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mayfly_executions_total", Help: "Executions that ended, by language and outcome.",
		}, []string{"language", "outcome"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mayfly_executions_refused_total", Help: "Executions that were not admitted, by the type of the problem.",
		}, []string{"reason"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mayfly_http_responses_total", Help: "HTTP answers, by status code.",
		}, []string{"code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mayfly_execution_seconds", Help: "What executions took: wall from admission to end, cpu of the guest, queue before admission, startup of the isolate.",
			// From 10 µs, four buckets a decade, to 100 s.
			Buckets: prometheus.ExponentialBucketsRange(10e-6, 100, 29),
		}, []string{"language", "phase"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mayfly_executions_under_way", Help: "Executions that the executor has, queued ones included.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mayfly_event_streams", Help: "Open event streams.",
		}),
		recordsLost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mayfly_execution_records_lost_total", Help: "Records of executions that could not be stored.",
		}),
	}
	for _, c := range []prometheus.Collector{m.executions, m.refused, m.requests, m.seconds, m.running, m.streams, m.recordsLost} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// child finds the metrics of a language and an outcome, without a lock once
// they are there.
func (m *metrics) child(key childKey) *executionMetrics {
	if known := m.children.Load(); known != nil {
		if c := (*known)[key]; c != nil {
			return c
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[childKey]*executionMetrics{}
	if known := m.children.Load(); known != nil {
		maps.Copy(next, *known)
	}
	c := next[key]
	if c == nil {
		c = &executionMetrics{
			total:   m.executions.WithLabelValues(key.language, string(key.outcome)),
			wall:    m.seconds.WithLabelValues(key.language, "wall"),
			cpu:     m.seconds.WithLabelValues(key.language, "cpu"),
			queue:   m.seconds.WithLabelValues(key.language, "queue"),
			startup: m.seconds.WithLabelValues(key.language, "startup"),
		}
		next[key] = c
		m.children.Store(&next)
	}
	return c
}

// ended counts an execution that has ended. language must be one of the
// executor's: each makes series of its own.
func (m *metrics) ended(language string, r *execution.Result) {
	c := m.child(childKey{language, r.Outcome})
	c.total.Inc()
	c.wall.Observe(r.Usage.Wall.Seconds())
	c.cpu.Observe(r.Usage.CPU.Seconds())
	c.queue.Observe(r.Usage.Queue.Seconds())
	c.startup.Observe(r.Usage.Startup.Seconds())
}

// answered counts an HTTP answer.
func (m *metrics) answered(code int) {
	if code < 100 || code >= len(m.codes) {
		return
	}
	c := m.codes[code].Load()
	if c == nil {
		counter := m.requests.WithLabelValues(strconv.Itoa(code))
		c = &counter
		m.codes[code].Store(c)
	}
	(*c).Inc()
}
