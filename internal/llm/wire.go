package llm

import (
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
