package llm

import (
	"context"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"time"
)

// newTransport makes connections of its own. It knows no proxy: only cmd/bot reads the
// environment.
func newTransport(t times) *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: t.connect, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    t.connect,
		ResponseHeaderTimeout:  t.headers,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        time.Minute,
		ForceAttemptHTTP2:      true,
	}
}

const (
	// maxReply is what is read of a reply, with its wrapping, which is up to 350 bytes a token.
	maxReply      = 256 << 10 // bytes
	bytesPerToken = 512
	maxRefusal    = 64 << 10 // of a response that is no success
	maxHead       = 400      // of a stream, kept for its error
)

var (
	errIdle    = errors.New("no byte came in time")
	errNoReply = errors.New("the stream ended without an end of the reply")
)

// A wire makes one request. It lets only streams of events through to the libraries, which
// would read anything else to its end, and ends those that are too long or stand still.
type wire struct {
	next  http.RoundTripper
	first time.Duration // without a byte, at first
	idle  time.Duration // and later
	limit int           // bytes

	responded bool // with a stream
	read      int  // bytes
	head      []byte
}

// client follows no redirect: the key would go along, or the prompt.
func (w *wire) client() *http.Client {
	return &http.Client{Transport: w, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(request.Context())
	response, err := w.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	body := &watched{ReadCloser: response.Body, wire: w, ctx: ctx, cancel: cancel}
	body.timer = time.AfterFunc(w.first, func() { cancel(errIdle) })
	response.Body = body
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")) // what is none is not the one
	if response.StatusCode == http.StatusOK && kind == "text/event-stream" {
		w.responded = true
		return response, nil
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxRefusal))
	switch {
	case response.StatusCode != http.StatusOK:
		return nil, &refusal{response.StatusCode, response.Header, string(text)} // of what cannot be read, the status says enough
	case err != nil && len(text) == 0:
		return nil, err
	}
	return nil, &otherBody{contentType: orNothing(kind), text: string(text)}
}

func orNothing(kind string) string {
	if kind == "" {
		return "something without a type"
	}
	return kind
}

// watched is a body that must not stand still, nor grow too long.
type watched struct {
	io.ReadCloser
	wire   *wire
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

func (b *watched) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	w := b.wire
	if n > 0 {
		b.timer.Reset(w.idle)
		w.read += n
		w.head = append(w.head, p[:min(n, maxHead-len(w.head))]...)
	}
	switch {
	case w.read > w.limit:
		return 0, errTooLong
	case err != nil && err != io.EOF && context.Cause(b.ctx) == errIdle:
		return n, errIdle
	}
	return n, err
}

func (b *watched) Close() error {
	b.timer.Stop()
	b.cancel(nil)
	return b.ReadCloser.Close()
}
