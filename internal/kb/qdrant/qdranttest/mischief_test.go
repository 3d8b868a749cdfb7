package qdranttest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// four writes points 0 to 3.
func four(ctx context.Context, c *qdrant.Client) (*qdrant.UpdateResult, error) {
	return c.Upsert(ctx, upsert(numbered(0, nil), numbered(1, nil), numbered(2, nil), numbered(3, nil)))
}

func TestMischief(t *testing.T) {
	for _, test := range []struct {
		name     string
		mischief Mischief
		code     codes.Code
		status   qdrant.UpdateStatus
		stored   int
	}{
		{"none", Mischief{}, codes.OK, qdrant.UpdateStatus_Completed, 4},
		{"of another method", Mischief{Method: Delete, Code: codes.Internal}, codes.OK, qdrant.UpdateStatus_Completed, 4},
		{"code", Mischief{Method: Upsert, Code: codes.Internal, Message: "Service internal error: disk full"}, codes.Internal, 0, 0},
		{"code, done", Mischief{Code: codes.DeadlineExceeded, Done: true}, codes.DeadlineExceeded, 0, 4},
		{"slow", Mischief{Slow: time.Millisecond}, codes.OK, qdrant.UpdateStatus_Completed, 4},
		{"acknowledged", Mischief{Status: qdrant.UpdateStatus_Acknowledged}, codes.OK, qdrant.UpdateStatus_Acknowledged, 0},
		{"wait timeout, done", Mischief{Status: qdrant.UpdateStatus_WaitTimeout, Done: true}, codes.OK, qdrant.UpdateStatus_WaitTimeout, 4},
		{"clock rejected", Mischief{Status: qdrant.UpdateStatus_ClockRejected}, codes.OK, qdrant.UpdateStatus_ClockRejected, 0},
		{"die before", Mischief{DieBefore: true}, codes.Unavailable, 0, 0},
		{"die in the middle", Mischief{DieMidBatch: true}, codes.Unavailable, 0, 2},
		{"die after", Mischief{DieAfter: true}, codes.Unavailable, 0, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, c := begin(t, Options{})
			s.Misbehave(1, test.mischief)
			result, err := four(within(t), c)
			if code(err) != test.code || result.GetStatus() != test.status {
				t.Errorf("%v, %v; want %v and %v", result, err, test.code, test.status)
			}
			if n := len(s.Points("c")); n != test.stored {
				t.Errorf("%d points are stored, want %d", n, test.stored)
			}
			s.Behave()
			if _, err := four(within(t), c); err != nil {
				t.Errorf("the next call: %v", err)
			}
			if n := s.Calls(Upsert); n != 2 {
				t.Errorf("%d calls arrived, want 2", n)
			}
		})
	}
}

func TestHang(t *testing.T) {
	for _, test := range []struct {
		done   bool
		stored int
	}{{false, 0}, {true, 4}} {
		s, c := begin(t, Options{})
		s.Misbehave(1, Mischief{Hang: true, Done: test.done})
		ctx, cancel := context.WithCancel(within(t))
		ended := make(chan error)
		go func() { _, err := four(ctx, c); ended <- err }()
		await(t, s, func() bool { return s.Calls(Upsert) == 1 && len(s.Points("c")) == test.stored })
		cancel()
		if err := <-ended; code(err) != codes.Canceled {
			t.Errorf("a call that hangs and is given up: %v", err)
		}
		if n := len(s.Points("c")); n != test.stored {
			t.Errorf("%+v: %d points are stored", test, n)
		}
	}
}

func await(t *testing.T, s *Server, holds func() bool) {
	t.Helper()
	if err := s.Await(within(t), holds); err != nil {
		t.Fatal(err)
	}
}

func TestRateLimit(t *testing.T) {
	s, c := begin(t, Options{})
	s.Misbehave(2, Mischief{Code: codes.ResourceExhausted, Message: "Rate limiting exceeded: Write rate limit exceeded", RetryAfter: 7})
	for range 2 {
		_, err := four(within(t), c)
		var limited *qdrant.QdrantResourceExhaustedError
		if !errors.As(err, &limited) || limited.RetryAfterS != 7 {
			t.Errorf("%v, want a limit with 7 seconds", err)
		}
	}
	if _, err := four(within(t), c); err != nil {
		t.Error(err)
	}
}

func TestRestart(t *testing.T) {
	s, c := begin(t, Options{})
	if _, err := four(within(t), c); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.Stop()
	if _, err := four(within(t), c); code(err) != codes.Unavailable {
		t.Errorf("stopped: %v", err)
	}
	s.Start()
	n, err := dial(t, s.URL(), "", nil).Count(within(t), &qdrant.CountPoints{CollectionName: "c"})
	if n != 4 || err != nil {
		t.Errorf("after the restart: %d points, %v; want 4", n, err)
	}
}

// A server stops while calls hang and while a connection has not said a word.
func TestStopAtOnce(t *testing.T) {
	s, c := begin(t, Options{TLS: true})
	s.Freeze()
	ended := make(chan error)
	go func() { _, err := four(within(t), c); ended <- err }()
	mute := knock(t, s.Addr())
	await(t, s, func() bool { return s.Calls(Upsert) == 1 && s.Connections() == 2 })
	s.Stop()
	if err := <-ended; code(err) != codes.Unavailable {
		t.Errorf("the call that hung: %v", err)
	}
	if _, err := mute.Read(make([]byte, 1)); err == nil {
		t.Error("the connection that said nothing is still open")
	}
	if n := len(s.Points("c")); n != 0 {
		t.Errorf("%d points are stored, want none", n)
	}
}

func TestFreeze(t *testing.T) {
	s, c := begin(t, Options{})
	s.Freeze()
	impatient, cancel := context.WithCancel(within(t))
	ended := make(chan error)
	for n, ctx := range []context.Context{impatient, within(t)} {
		go func() { _, err := four(ctx, c); ended <- err }()
		await(t, s, func() bool { return s.Calls(Upsert) == n+1 })
	}
	cancel()
	if err := <-ended; code(err) != codes.Canceled || len(s.Points("c")) != 0 {
		t.Errorf("frozen: %v, %d points", err, len(s.Points("c")))
	}
	s.Thaw()
	if err := <-ended; err != nil || len(s.Points("c")) != 4 {
		t.Errorf("thawed: %v, %d points", err, len(s.Points("c")))
	}
}

func TestConcurrent(t *testing.T) {
	s, c := begin(t, Options{})
	s.Misbehave(-1, Mischief{Method: Scroll, Slow: time.Microsecond})
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for k := range 20 {
				if _, err := c.Upsert(within(t), upsert(numbered(8*k+n, map[string]any{"n": n}))); err != nil {
					t.Error(err)
				}
				if _, err := c.Scroll(within(t), &qdrant.ScrollPoints{CollectionName: "c"}); err != nil {
					t.Error(err)
				}
				if _, err := c.Query(within(t), &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryDense([]float32{1, 0})}); err != nil {
					t.Error(err)
				}
				s.Points("c")
				s.Info("c")
			}
		})
	}
	wg.Wait()
	s.Forget("c", 60)
	s.Strip("c", 10)
	bare := 0
	for _, p := range s.Points("c") {
		if len(p.Payload) == 0 {
			bare++
		}
	}
	if n := len(s.Points("c")); n != 100 || bare != 10 {
		t.Errorf("%d points are left, %d of them bare; want 100 and 10", n, bare)
	}
}
