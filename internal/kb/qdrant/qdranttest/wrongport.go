package qdranttest

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// NewREST is the address of what stands at Qdrant's other port, 6333: HTTP/1.1 and JSON.
func NewREST(t testing.TB) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, "{\"title\":%q,\"version\":%q}", title, version)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// NewSilent is an address that takes connections and never says a word.
func NewSilent(t testing.TB) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("qdranttest: %v", err)
	}
	done := make(chan struct{})
	var w wires
	go func() {
		defer close(done)
		keep(w.around(l))
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		w.cut()
	})
	return "http://" + l.Addr().String()
}

// keep accepts until the listener is closed.
func keep(l net.Listener) {
	for {
		if _, err := l.Accept(); err != nil {
			return
		}
	}
}
