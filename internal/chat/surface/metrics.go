package surface

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what passes between a platform and the bot. Every label has a fixed set of
// values.
type Metrics struct {
	Limited    *prometheus.CounterVec // calls that the platform answered with 429, by call
	Rejected   prometheus.Counter     // requests to the platform's address that it did not sign
	Reconnects prometheus.Counter     // connections that ended or were replaced
	Ack        prometheus.Histogram   // seconds from reading a delivery until it is acknowledged

	events *prometheus.CounterVec
	kinds  []string
}

// NewMetrics makes a platform's metrics, and registers them where there is a registry. kinds
// are the deliveries that are counted each by its name.
func NewMetrics(registry prometheus.Registerer, platform string, kinds []string) (*Metrics, error) {
	name := func(what string) string { return "citebot_" + platform + "_" + what }
	m := &Metrics{
		Limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("rate_limited_total"),
			Help: "Calls that the platform answered with 429, by call.",
		}, []string{"call"}),
		Rejected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: name("rejected_total"),
			Help: "Requests to the platform's address whose signature did not hold.",
		}),
		Reconnects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: name("reconnects_total"),
			Help: "Connections to the platform that ended or were replaced.",
		}),
		Ack: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    name("ack_seconds"),
			Help:    "From reading a delivery until it is acknowledged; the platform waits three seconds.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 3},
		}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("events_total"),
			Help: "What the platform delivered, by kind; redeliveries count again.",
		}, []string{"kind"}),
		kinds: kinds,
	}
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.Limited, m.Rejected, m.Reconnects, m.Ack, m.events} {
		if err := registry.Register(c); err != nil {
			return m, err
		}
	}
	return m, nil
}

// Event counts a delivery. Kinds that nobody named are one, which keeps the label's values
// few.
func (m *Metrics) Event(kind string) {
	if !slices.Contains(m.kinds, kind) {
		kind = "other"
	}
	m.events.WithLabelValues(kind).Inc()
}
