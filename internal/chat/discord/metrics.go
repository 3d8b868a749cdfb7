package discord

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what passes between Discord and the bot. Every label has a fixed set of
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
			Name: "citebot_discord_events_total",
			Help: "What Discord delivered, by kind; repeated events count again.",
		}, []string{"kind"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "citebot_discord_rate_limited_total",
			Help: "Calls that Discord answered with 429, by route.",
		}, []string{"route"}),
		rejected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "citebot_discord_rejected_total",
			Help: "Requests to Discord's address whose signature did not hold.",
		}),
		reconnects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "citebot_discord_reconnects_total",
			Help: "Gateway connections that ended.",
		}),
		ack: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "citebot_discord_ack_seconds",
			Help:    "From reading an interaction until Discord has its response; Discord waits three seconds.",
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

var knownKinds = []string{"READY", "RESUMED", "MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK", "INTERACTION_CREATE",
	"GUILD_CREATE", "THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE", "CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE"}

// kindLabel keeps a label's values few.
func kindLabel(kind string) string {
	if slices.Contains(knownKinds, kind) {
		return kind
	}
	return "other"
}
