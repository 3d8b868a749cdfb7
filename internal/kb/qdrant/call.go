package qdrant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// call calls the server, within a deadline. A connection that was lost shows when it is
// used, and the client's next one may be sound: so what could not be sent is tried once
// more. All calls may be repeated.
func (s *Store) call(ctx context.Context, name string, within time.Duration, f func(context.Context) error) error {
	if wait := s.limitedFor(); wait > 0 {
		return s.refused("it wants no calls for another %v: too many were made; raise its strict mode's rate limit", wait.Round(time.Second))
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	started := time.Now()
	err := f(ctx)
	if status.Code(cause(err)) == codes.Unavailable && ctx.Err() == nil {
		err = f(ctx)
	}
	s.metrics.took(name, time.Since(started), err)
	if err != nil {
		return s.explain(ctx, name, time.Since(started), err)
	}
	return nil
}

// cause is the error below the client's own.
func cause(err error) error {
	var wrapped *qdrant.QdrantError
	if errors.As(err, &wrapped) {
		return wrapped.Unwrap()
	}
	return err
}

// A failure is an error of the server or on the way to it. Its text tells what to do.
type failure struct {
	code codes.Code
	text string
}

func (f *failure) Error() string { return f.text }

// isCode says whether an error is the server's, with this code.
func isCode(err error, code codes.Code) bool {
	var f *failure
	return errors.As(err, &f) && f.code == code
}

// explain says in words what went wrong and what to do. It keeps the context's own errors,
// by which a caller knows that it was not Qdrant.
func (s *Store) explain(ctx context.Context, name string, took time.Duration, err error) error {
	var limit *qdrant.QdrantResourceExhaustedError
	if errors.As(err, &limit) {
		s.limit(time.Duration(limit.RetryAfterS) * time.Second)
		return s.failure(codes.ResourceExhausted, "it refuses more calls for %d s (%s): raise its strict mode's rate limit", limit.RetryAfterS, limit.Reason)
	}
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return context.Canceled
	}
	st := status.Convert(cause(err))
	return s.failure(st.Code(), "%s", s.inWords(name, took, st))
}

// failure leaves the key out: a server, or what stands before it, may repeat what it was sent.
func (s *Store) failure(code codes.Code, format string, args ...any) error {
	text := "Qdrant at " + s.address + ": " + fmt.Sprintf(format, args...)
	return &failure{code, withoutKey(text, s.cfg.APIKey)}
}

// refused is about what the server holds or is, and this bot cannot use.
func (s *Store) refused(format string, args ...any) error {
	return s.failure(codes.FailedPrecondition, format, args...)
}

func withoutKey(text, key string) string {
	if key == "" {
		return text
	}
	return strings.ReplaceAll(text, key, "…")
}

// inWords is what a status means to whoever runs the bot.
func (s *Store) inWords(name string, took time.Duration, st *status.Status) string {
	text := st.Message()
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch code := st.Code(); {
	case (code == codes.Unauthenticated || code == codes.PermissionDenied) && s.cfg.APIKey == "":
		return "it wants a key; set QDRANT_API_KEY to one that may write collections"
	case code == codes.Unauthenticated || code == codes.PermissionDenied:
		return "it refused QDRANT_API_KEY; set a key that may write collections"
	case code == codes.DeadlineExceeded || code == codes.Canceled:
		return fmt.Sprintf("no answer to %q for %v; is it busy, or is this another program's port?", name, max(took.Round(100*time.Millisecond), 100*time.Millisecond))
	case has("first record does not look like a TLS handshake"):
		return "it speaks no TLS; write http:// in QDRANT_URL"
	case has("certificate"):
		return "its certificate is not trusted (" + after(text, "x509: ", "tls: ") + "); add its authority to the system's roots, or correct the host in QDRANT_URL"
	case has("looked like an HTTP/1.1 header", "unexpected HTTP status code", "malformed HTTP"), code == codes.Unknown && has("http2"):
		return "it does not speak gRPC; QDRANT_URL must name the gRPC port, 6334 unless changed, not the one of the REST API, 6333"
	case has("error reading server preface"):
		return "the connection was closed at once; with TLS write https:// in QDRANT_URL, and name the gRPC port, 6334 unless changed"
	case has("name resolver error", "no such host"):
		return "its host's name leads nowhere; correct QDRANT_URL"
	case code == codes.Unavailable && has("connection refused", "i/o timeout", "network is unreachable", "no route to host"):
		return "it cannot be reached (" + after(text, "connect: ", "dial tcp ") + "); start it, or correct QDRANT_URL"
	}
	return strings.TrimSuffix(fmt.Sprintf("%s (%s, %s)", text, name, st.Code()), ".")
}

// after is the end of text behind the first of the marks that it has.
func after(text string, marks ...string) string {
	for _, mark := range marks {
		if _, end, ok := strings.Cut(text, mark); ok {
			return strings.TrimRight(end, `"`)
		}
	}
	return text
}

// limit notes that the server wants no calls for a while.
func (s *Store) limit(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limited = time.Now().Add(min(d, time.Minute))
}

func (s *Store) limitedFor() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Until(s.limited)
}

// metrics count the calls. Every label has a fixed set of values.
type metrics struct {
	seconds  *prometheus.HistogramVec
	failures *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) (metrics, error) {
	m := metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "citebot_qdrant_call_seconds",
			Help:    "How long calls to Qdrant took that ended well, by call.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 15},
		}, []string{"call"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "citebot_qdrant_failures_total",
			Help: "Calls to Qdrant that failed, by call.",
		}, []string{"call"}),
	}
	if registry == nil {
		return m, nil
	}
	return m, errors.Join(registry.Register(m.seconds), registry.Register(m.failures))
}

func (m metrics) took(call string, d time.Duration, err error) {
	if err != nil {
		m.failures.WithLabelValues(call).Inc()
		return
	}
	m.seconds.WithLabelValues(call).Observe(d.Seconds())
}
