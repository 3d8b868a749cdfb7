package surface

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

func TestAsides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := NewAsides(slog.New(slog.NewTextHandler(&log, nil)))
		stopped, cancel := context.WithCancel(t.Context())
		cancel() // what asked for them may have ended
		began := time.Now()
		ran := make(chan bool, 2*maxAsides)
		for range 2 * maxAsides {
			a.Go(stopped, func(ctx context.Context) {
				ran <- true
				<-ctx.Done()
			})
		}
		a.Wait()
		if len(ran) != maxAsides || time.Since(began) != asidesWithin {
			t.Errorf("%d ran, for %v", len(ran), time.Since(began))
		}
		a.Go(t.Context(), func(context.Context) { panic("oh") })
		a.Wait()
		if !strings.Contains(log.String(), "oh") {
			t.Errorf("a panic is not in the log: %s", &log)
		}
	})
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPace(time.Second, 2)
		var waits []time.Duration
		for range 4 {
			waits = append(waits, p.Slot("a", false))
		}
		if waits[0] != 0 || waits[1] != 0 || waits[2] != time.Second || waits[3] != 2*time.Second {
			t.Errorf("waits of %v", waits)
		}
		if wait := p.Slot("b", false); wait != 0 {
			t.Errorf("another channel waits %v", wait)
		}
		if p.Slot("a", true); p.Slot("a", false) != 3*time.Second {
			t.Error("what was not wanted later took a moment all the same")
		}
	})
}

func TestHealth(t *testing.T) {
	var h Health
	if text, fatal := h.Problems(); text != "" || fatal {
		t.Errorf("at first: %q, %v", text, fatal)
	}
	if !h.Down("b", "second", false) || h.Down("b", "second", false) || !h.Down("a", "first", true) {
		t.Error("what is news")
	}
	if text, fatal := h.Problems(); text != "first; second" || !fatal {
		t.Errorf("both: %q, %v", text, fatal)
	}
	h.Fine("a")
	if text, fatal := h.Problems(); text != "second" || fatal {
		t.Errorf("one: %q, %v", text, fatal)
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	m, err := NewMetrics(registry, "board", []string{"message"})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"message", "odd", "odder"} {
		m.Event(kind)
	}
	counts := map[string]float64{}
	for _, metric := range gathered(t, registry, "citebot_board_events_total") {
		counts[metric.GetLabel()[0].GetValue()] = metric.GetCounter().GetValue()
	}
	if len(counts) != 2 || counts["message"] != 1 || counts["other"] != 2 {
		t.Errorf("counted %v", counts)
	}
	if _, err := NewMetrics(registry, "board", nil); err == nil {
		t.Error("two platforms of one name count in one place")
	}
}

// gathered are the metrics of a name.
func gathered(t *testing.T, registry *prometheus.Registry, name string) []*dto.Metric {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()
		}
	}
	return nil
}

func TestWebhook(t *testing.T) {
	registry := prometheus.NewRegistry()
	m, err := NewMetrics(registry, "board", nil)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	handler := Webhook{
		ContentType: "application/json", Hint: "the secret", Metrics: m, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Verify: func(_ http.Header, body []byte) error {
			if !bytes.HasPrefix(body, []byte("signed")) {
				return errors.New("not by us")
			}
			return nil
		},
		Take: func(_ context.Context, body []byte) (any, int) {
			if string(body) == "signed badly" {
				return nil, http.StatusInternalServerError
			}
			return map[string]string{"got": string(body)}, http.StatusOK
		},
	}.Handler()
	for _, test := range []struct {
		method, kind, body string
		status             int
		want               string
	}{
		{"POST", "application/json; charset=utf-8", "signed", 200, `{"got":"signed"}`},
		{"POST", "application/json", "signed badly", 500, ""},
		{"POST", "application/json", "forged", 401, "not signed"},
		{"POST", "text/plain", "signed", 415, "content type must be application/json"},
		{"POST", "text/plain", "forged", 401, "not signed"},
		{"GET", "application/json", "signed", 405, "POST only"},
		{"POST", "application/json", "signed" + strings.Repeat(" ", maxBody), 413, "body too long"},
	} {
		r := httptest.NewRequest(test.method, "/", strings.NewReader(test.body))
		r.Header.Set("Content-Type", test.kind)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if got := strings.TrimSpace(w.Body.String()); w.Code != test.status || got != test.want {
			t.Errorf("%s %s %.20q: %d %q, want %d %q", test.method, test.kind, test.body, w.Code, got, test.status, test.want)
		}
	}
	if n := gathered(t, registry, "citebot_board_rejected_total")[0].GetCounter().GetValue(); n != 2 || !strings.Contains(log.String(), "the secret") {
		t.Errorf("%v rejected; %s", n, &log)
	}
}
