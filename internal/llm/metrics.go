package llm

import (
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What a call can come to besides the Reasons.
const (
	outcomeOK       = "ok"
	outcomeCanceled = "canceled" // by the caller
)

// metrics count calls. Every label has a fixed set of values.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
	retries  prometheus.Counter
}

func newMetrics(c *Client) (metrics, error) {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "citebot_llm_requests_total",
			Help: "Replies that were wanted of the language model, by what came of it.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "citebot_llm_request_seconds",
			Help:    "How long the language model took for a reply, with repetitions, whatever came of it.",
			Buckets: []float64{.001, .01, .1, .25, .5, 1, 2, 3, 5, 8, 12, 20, 30},
		}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "citebot_llm_retries_total",
			Help: "Requests to the language model that were made again.",
		}),
	}
	for _, outcome := range append(Reasons(), outcomeOK, outcomeCanceled) {
		m.requests.WithLabelValues(label(outcome))
	}
	registry := c.cfg.Registry
	if registry == nil {
		return m, nil
	}
	gauge := func(name, help string, f func() float64) error {
		return registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	return m, errors.Join(
		registry.Register(m.requests), registry.Register(m.seconds), registry.Register(m.retries),
		gauge("citebot_llm_spent_tokens", "Tokens of the language model that were spent today (UTC).", func() float64 { return float64(c.spending.today().Tokens) }),
		gauge("citebot_llm_spent_money", "Money that was spent for the language model today (UTC).", func() float64 { return c.spending.today().Money }),
		gauge("citebot_llm_breaker_open", "1 while the language model is not called, for it failed.", c.breakerOpen),
	)
}

func label(reason string) string { return strings.ReplaceAll(reason, " ", "_") }

func (c *Client) breakerOpen() float64 {
	for _, b := range c.breakers {
		if cause, _ := b.open(); cause != nil {
			return 1
		}
	}
	return 0
}

// ended counts a call of Complete.
func (m metrics) ended(took time.Duration, err error) {
	outcome := reasonOf(err)
	switch {
	case err == nil:
		outcome = outcomeOK
	case outcome == "":
		outcome = outcomeCanceled
	}
	m.requests.WithLabelValues(label(outcome)).Inc()
	m.seconds.Observe(took.Seconds())
}
