package discord

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"citebot/internal/chat"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"
)

// newGateways are the gateways of a bot's shards, which connect to an address and find
// nothing of interest there.
func newGateways(t *testing.T, shards int, address string) []*gateway {
	t.Helper()
	library := Library{Documents: func([]string) []Document { return nil }, Status: func([]string) Status { return Status{} }}
	d, err := New(Config{Token: "abc", Shards: shards, Library: library}, nil)
	if err != nil {
		t.Fatal(err)
	}
	turns := rate.NewLimiter(rate.Every(usualTimes.turn), 1)
	var all []*gateway
	for n := range shards {
		g := d.shard(n, turns)
		g.address = func(context.Context) (string, error) { return address, nil }
		g.take = func(context.Context, string, json.RawMessage) bool { return true }
		all = append(all, g)
	}
	return all
}

// A wireFrame is what one side of a connection says.
type wireFrame struct {
	Op   int    `json:"op"`
	Data any    `json:"d"`
	Seq  int    `json:"s,omitempty"`
	Kind string `json:"t,omitempty"`
}

// stage is a gateway at which the first connection is told some frames, the next one others. It
// passes on what the bot says to that, who it is and each heartbeat that it is asked for, and
// closes the connection.
func stage(t *testing.T, lives ...[]wireFrame) (address string, said <-chan wireFrame) {
	t.Helper()
	heard := make(chan wireFrame, 100)
	var upgrader websocket.Upgrader
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil || len(lives) == 0 {
			return
		}
		defer c.Close()
		life := lives[0]
		lives = lives[1:]
		due := 1
		for _, f := range life {
			c.WriteJSON(f)
			if f.Op == opHeartbeat {
				due++
			}
		}
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		for range due {
			var f wireFrame
			if c.ReadJSON(&f) != nil {
				return
			}
			heard <- f
		}
	}))
	t.Cleanup(srv.Close)
	return strings.Replace(srv.URL, "http", "ws", 1), heard
}

var helloFrame = wireFrame{Op: opHello, Data: map[string]any{"heartbeat_interval": 3_600_000}}

// A heartbeat says which event was the last, that of an earlier connection too; so does who
// resumes.
func TestHeartbeatsSayWhatWasHeard(t *testing.T) {
	t.Parallel()
	beat := wireFrame{Op: opHeartbeat}
	at, said := stage(t,
		[]wireFrame{helloFrame, {Kind: "READY", Seq: 1, Data: map[string]any{"session_id": "s"}}, {Kind: "TYPING_START", Seq: 7}, beat},
		[]wireFrame{helloFrame, beat})
	g := newGateways(t, 1, at)[0]
	for range 2 {
		if err := g.connect(t.Context()); err == nil {
			t.Error("a connection ends without an error")
		}
	}
	var ops []int
	var numbers []any
	for range 4 {
		f := <-said
		if resume, ok := f.Data.(map[string]any); ok {
			f.Data = resume["seq"]
		}
		ops, numbers = append(ops, f.Op), append(numbers, f.Data)
	}
	if diff := cmp.Diff([]int{opIdentify, opHeartbeat, opResume, opHeartbeat}, ops); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]any{nil, 7., 7., 7.}, numbers); diff != "" {
		t.Error(diff)
	}
}

// Where a session's own address is gone it is resumed at the gateway's.
func TestResumeWhereTheAddressIsGone(t *testing.T) {
	t.Parallel()
	at, said := stage(t, []wireFrame{helloFrame})
	g := newGateways(t, 1, at)[0]
	gone := httptest.NewServer(nil)
	gone.Close()
	g.session = session{id: "s", url: strings.Replace(gone.URL, "http", "ws", 1), seq: 3}
	for range 2 {
		if err := g.connect(t.Context()); err == nil {
			t.Error("a connection ends without an error")
		}
	}
	select {
	case f := <-said:
		if f.Op != opResume {
			t.Errorf("it says %+v", f)
		}
	default:
		t.Error("nothing came to the gateway")
	}
}

// However often sessions are lost, those of a day are fewer than Discord allows, and no two of
// all shards are begun at once.
func TestSessionsOfADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var begun []time.Time
		var lives sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context()) // a deadline would end waits before it comes
		time.AfterFunc(24*time.Hour, cancel)
		for _, g := range newGateways(t, 2, "no address: %zz") {
			g.pause = chat.Pause{First: time.Second, Most: time.Second} // as after a connection that was there
			g.up = func(bool, error) {
				mu.Lock()
				defer mu.Unlock()
				begun = append(begun, time.Now())
			}
			lives.Go(func() { g.run(ctx) })
		}
		lives.Wait()
		if n := len(begun); n > 1000 || n < 800 {
			t.Errorf("%d sessions", n)
		}
		slices.SortFunc(begun, time.Time.Compare)
		for i := range begun[1:] {
			if d := begun[i+1].Sub(begun[i]); d < usualTimes.turn-time.Millisecond {
				t.Fatalf("session %d is begun %v after the one before it", i+1, d)
			}
		}
	})
}

// Connections that lead nowhere come ever more slowly, those that led to a session do not, and
// at once only after one that lasted.
func TestPausesBetweenConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{times: usualTimes, pause: chat.Pause{First: usualTimes.pause, Most: 2 * time.Minute}}
		var last time.Duration
		for range 12 {
			last = g.wait(errDeaf)
		}
		if last < time.Minute {
			t.Errorf("after a dozen failures it waits %v", last)
		}
		g.joinedAt = time.Now()
		if wait := g.wait(errReconnect); wait != usualTimes.good/5 {
			t.Errorf("after a moment's session it waits %v", wait)
		}
		g.joinedAt = time.Now()
		time.Sleep(usualTimes.good)
		if wait := g.wait(errReconnect); wait > 2*usualTimes.pause {
			t.Errorf("after a session that lasted it waits %v", wait)
		}
		if wait := g.wait(&websocket.CloseError{Code: 4004}); wait < usualTimes.fatal/2 {
			t.Errorf("after a refusal it waits %v", wait)
		}
	})
}
