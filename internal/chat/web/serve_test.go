package web

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"citebot/internal/chat"
	"citebot/internal/citations"
)

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// A question that is being answered when the program stops gets its answer.
func TestServeFinishesWhatItBegan(t *testing.T) {
	asked, answer := make(chan bool), make(chan bool)
	cfg := newShop().config()
	cfg.Ask = func(context.Context, chat.Question, func(chat.Progress)) (citations.Answer, error) {
		asked <- true
		<-answer
		return citations.Answer{Verdict: citations.Answered}, nil
	}
	s := newTestServer(t, cfg)
	ln := listen(t, "127.0.0.1:0")
	ctx, stop := context.WithCancel(t.Context())
	served, status := make(chan error, 1), make(chan int, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		resp, err := client.Post("http://"+ln.Addr().String()+"/api/ask", "application/json", strings.NewReader(`{"question":"Hello?"}`))
		if err != nil {
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-asked
	stop()
	close(answer)
	if got := <-status; got != 200 {
		t.Errorf("the question that was under way: %d", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("the address still answers")
	}
}

func TestServeRefusesAnotherAddressThanNewWasTold(t *testing.T) {
	s := newTestServer(t, newShop().config())
	if err := s.Serve(t.Context(), listen(t, "0.0.0.0:0")); err == nil || !strings.Contains(err.Error(), "BOT_TOKEN") {
		t.Errorf("an open address without token: %v", err)
	}
}
