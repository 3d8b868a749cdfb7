package discord

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"citebot/internal/chat"

	"github.com/google/go-cmp/cmp"
)

// answering is a Discord that answers each request at once.
type answering func(*http.Request) http.Header

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: a(r), Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

// Where a route's limit is used up its next call waits, and no other route's.
func TestLimitThatIsUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var called []string
		reset := "2.5"
		r := Config{Client: &http.Client{Transport: answering(func(r *http.Request) http.Header {
			called = append(called, strings.TrimPrefix(r.URL.Path, "/api/v9"))
			return http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset-After": {reset}}
		})}}.rest()
		wait := func(path string) time.Duration {
			err := r.call(t.Context(), http.MethodGet, path, nil, nil)
			var later *chat.Wait
			if err != nil && !errors.As(err, &later) {
				t.Fatal(err)
			}
			if later == nil {
				return 0
			}
			return later.For
		}
		waits := []time.Duration{wait("/channels/1/messages"), wait("/channels/1/messages"), wait("/channels/2/messages"), wait("/channels/1")}
		time.Sleep(2500 * time.Millisecond)
		reset = "86400" // which is not believed
		waits = append(waits, wait("/channels/1/messages"), wait("/channels/1/messages"))
		if diff := cmp.Diff([]time.Duration{0, 2500 * time.Millisecond, 0, 0, 0, time.Minute}, waits); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"/channels/1/messages", "/channels/2/messages", "/channels/1", "/channels/1/messages"}, called); diff != "" {
			t.Error(diff)
		}
	})
}
