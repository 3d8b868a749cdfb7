package slack

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what passes between Slack and the bot. Every label has a fixed set of
// values.
type metrics struct {
	events     *prometheus.CounterVec
	limited    *prometheus.CounterVec
	rejected   prometheus.Counter
	reconnects prometheus.Counter
	ack        prometheus.Histogram
}

func newMetrics(registry prometheus.Registerer) (metrics, error) {
	m := metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "citebot_slack_events_total",
			Help: "What Slack delivered, by kind; redeliveries count again.",
		}, []string{"kind"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "citebot_slack_rate_limited_total",
			Help: "Calls that Slack answered with 429, by method.",
		}, []string{"method"}),
		rejected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "citebot_slack_rejected_total",
			Help: "Requests to Slack's address whose signature did not hold.",
		}),
		reconnects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "citebot_slack_reconnects_total",
			Help: "Socket Mode connections that ended or were replaced.",
		}),
		ack: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "citebot_slack_ack_seconds",
			Help:    "From reading a delivery until it is acknowledged; Slack waits three seconds.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 3},
		}),
	}
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.events, m.limited, m.rejected, m.reconnects, m.ack} {
		if err := registry.Register(c); err != nil {
			return m, err
		}
	}
	return m, nil
}

var knownKinds = []string{"message", "app_mention", "app_home_opened", "assistant_thread_started", "agent_session_stopped",
	"app_uninstalled", "tokens_revoked", "block_actions", "view_submission", "message_action"}

// kindLabel keeps a label's values few.
func kindLabel(kind string) string {
	if slices.Contains(knownKinds, kind) {
		return kind
	}
	return "other"
}
