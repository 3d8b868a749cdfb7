package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics count what people ask without keeping what they asked. Every label has a fixed
// set of values: routes, HTTP statuses.
type metrics struct {
	registry *prometheus.Registry
	seconds  prometheus.Histogram
	requests *prometheus.CounterVec
}

func newMetrics(registry *prometheus.Registry) (*metrics, error) {
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	m := &metrics{
		registry: registry,
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
	for _, c := range []prometheus.Collector{m.seconds, m.requests} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Bounds of a scrape. Scrapers give up after ten seconds as a rule.
const (
	scrapesAtOnce = 4
	scrapeWithin  = 5 * time.Second
)

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesAtOnce,
		Timeout:             scrapeWithin,
	})
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
