package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics count what people ask without keeping what they asked. Every label has a fixed
// set of values: verdicts and refusals, routes, HTTP statuses.
type metrics struct {
	registry  *prometheus.Registry
	questions *prometheus.CounterVec
	seconds   prometheus.Histogram
	requests  *prometheus.CounterVec
}

func newMetrics(registry *prometheus.Registry) (*metrics, error) {
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	m := &metrics{
		registry: registry,
		questions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "citebot_web_questions_total",
			Help: "Questions asked over HTTP, by verdict, or by why there was none: busy, cancelled, failed.",
		}, []string{"verdict"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "citebot_web_answer_seconds",
			Help:    "How long answers over HTTP took, waiting in line included.",
			Buckets: []float64{.05, .1, .2, .4, .8, 1.5, 3, 6, 12, 25, 50, 100},
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "citebot_web_requests_total",
			Help: "HTTP requests by route and status.",
		}, []string{"route", "status"}),
	}
	for _, c := range []prometheus.Collector{m.questions, m.seconds, m.requests} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) question(verdict string, took time.Duration) {
	m.questions.WithLabelValues(verdict).Inc()
	m.seconds.Observe(took.Seconds())
}

// request counts r under the pattern that the mux matched: a path would be a label with
// as many values as there are passages.
func (m *metrics) request(r *http.Request, status int) {
	route := r.Pattern
	if route == "" || route == "/" {
		route = "other"
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
}
