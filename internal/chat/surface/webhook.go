package surface

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"golang.org/x/time/rate"
)

// maxBody is far above what a platform sends.
const maxBody = 1 << 20

// A Webhook is a web address that a platform calls. It lets through POST requests that the
// platform signed; nothing of a body is looked at before that.
type Webhook struct {
	ContentType string
	Verify      func(h http.Header, body []byte) error // whether the platform signed this, just now
	Hint        string                                 // what to look at when that fails
	Metrics     *Metrics
	Log         *slog.Logger

	// Take deals with a body. What it returns is sent as JSON, nil as nothing, and status is
	// that of the answer.
	Take func(ctx context.Context, body []byte) (answer any, status int)
}

// Handler serves the address.
func (hook Webhook) Handler() http.Handler {
	knocks := &rate.Sometimes{First: 3, Interval: time.Minute} // strangers do not fill the log
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hook.serve(w, r, knocks) })
}

func (hook Webhook) serve(w http.ResponseWriter, r *http.Request, knocks *rate.Sometimes) {
	began := time.Now()
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		http.Error(w, "body too long", http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(w, "body cut short", http.StatusBadRequest)
		return
	}
	if err := hook.Verify(r.Header, body); err != nil {
		hook.Metrics.Rejected.Inc()
		knocks.Do(func() {
			hook.Log.Warn("a request to a platform's address was rejected", slog.Any("error", err), slog.String("hint", hook.Hint))
		})
		http.Error(w, "not signed", http.StatusUnauthorized)
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != hook.ContentType {
		http.Error(w, "content type must be "+hook.ContentType, http.StatusUnsupportedMediaType)
		return
	}
	answer, status := hook.Take(r.Context(), body)
	if answer != nil {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	if answer != nil {
		json.NewEncoder(w).Encode(answer) // who went away needs no answer
	}
	hook.Metrics.Ack.Observe(time.Since(began).Seconds())
}
