package chat

import (
	"citebot/internal/ledger"

	"github.com/prometheus/client_golang/prometheus"
)

// What came of a question that got no verdict, for the metrics of all surfaces.
const (
	EndFailed    = "failed"
	EndBusy      = "busy"      // too many questions wait already
	EndLimited   = "limited"   // the asker or the place has had its share
	EndCancelled = "cancelled" // nobody waits for the answer any more
)

// ends are those of questions that are not answered, by the ledger's reasons.
var ends = map[string]string{ledger.ReasonBusy: EndBusy, ledger.ReasonLimited: EndLimited}

// deskMetrics count turns without keeping what was said. Every label has a fixed set of
// values.
type deskMetrics struct {
	turns      *prometheus.CounterVec
	duplicates prometheus.Counter
	feedback   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	sources    *prometheus.HistogramVec
}

func newDeskMetrics(registry prometheus.Registerer, waiting func() int) (deskMetrics, error) {
	m := deskMetrics{
		turns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "citebot_chat_turns_total",
			Help: "Turns on chat platforms that came to an end, by how: posted, refused, given up, or why nothing was posted.",
		}, []string{"platform", "outcome"}),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "citebot_chat_duplicates_total",
			Help: "Deliveries of messages and clicks that were known already.",
		}),
		feedback: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "citebot_chat_feedback_total",
			Help: "What people think of answers: good, bad. Who changes their mind is counted again.",
		}, []string{"value"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "citebot_chat_answer_seconds",
			Help:    "From accepting a question until its answer is posted.",
			Buckets: []float64{.1, .2, .4, .8, 1.5, 3, 6, 12, 25, 60, 300, 900},
		}, []string{"platform"}),
		sources: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "citebot_chat_answer_sources",
			Help:    "Sources of a posted answer.",
			Buckets: []float64{0, 1, 2, 3, 4, 6, 8, 12},
		}, []string{"platform"}),
	}
	if registry == nil {
		return m, nil
	}
	backlog := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "citebot_chat_waiting",
		Help: "Turns that wait to be answered or posted.",
	}, func() float64 { return float64(waiting()) })
	for _, c := range []prometheus.Collector{m.turns, m.duplicates, m.feedback, m.seconds, m.sources, backlog} {
		if err := registry.Register(c); err != nil {
			return m, err
		}
	}
	return m, nil
}
