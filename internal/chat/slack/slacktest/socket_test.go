package slacktest

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// dial opens a socket by hand, and reads the hello.
func dial(t *testing.T, s *Server) *websocket.Conn {
	t.Helper()
	_, u, err := newAPI(s).StartSocketModeContext(timely(t))
	if err != nil {
		t.Fatal(err)
	}
	ws, resp, err := websocket.DefaultDialer.DialContext(timely(t), u, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	if hello := frameOf(t, ws); hello["type"] != "hello" {
		t.Fatalf("hello is %v", hello)
	}
	return ws
}

func frameOf(t *testing.T, ws *websocket.Conn) map[string]any {
	t.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(10 * time.Second))
	var frame map[string]any
	if err := ws.ReadJSON(&frame); err != nil {
		t.Fatal(err)
	}
	return frame
}

func writeFrame(t *testing.T, ws *websocket.Conn, v any) {
	t.Helper()
	if err := ws.WriteJSON(v); err != nil {
		t.Fatal(err)
	}
}

func TestEnvelope(t *testing.T) {
	s, ctx := New(t), timely(t)
	l := listen(t, s, &listener{})
	act := s.Send(s.DM(Alice, "Hello"))
	e := l.next(t, socketmode.EventTypeEventsAPI)
	if e.Request.EnvelopeID != act.Envelopes[0] || e.Request.RetryAttempt != 0 || e.Request.AcceptsResponsePayload {
		t.Errorf("envelope %+v", e.Request)
	}
	if err := s.AwaitAcks(ctx, act.Envelopes...); err != nil {
		t.Fatal(err)
	}
	ack, ok := s.Ack(act.Envelopes[0])
	if !ok || ack.Conn != 1 || ack.Event.ID != act.Events[0].ID || ack.Latency <= 0 || len(s.Latencies()) != 1 || len(s.Unacked()) != 0 {
		t.Errorf("ack %+v", ack)
	}
	s.Send(s.Command(Alice, General, "/ask", ""))
	if e := l.next(t, socketmode.EventTypeSlashCommand); !e.Request.AcceptsResponsePayload {
		t.Errorf("envelope %+v", e.Request)
	}
}

func TestRedeliver(t *testing.T) {
	s, ctx := New(t), timely(t)
	muted := 2
	l := listen(t, s, &listener{mute: func(e socketmode.Event) bool { muted--; return muted >= 0 }})
	act := s.Send(s.DM(Alice, "Hello"))
	l.next(t, socketmode.EventTypeEventsAPI)
	ids := s.Redeliver()
	e := l.next(t, socketmode.EventTypeEventsAPI)
	if len(ids) != 1 || ids[0] == act.Envelopes[0] || e.Request.EnvelopeID != ids[0] || e.Request.RetryAttempt != 1 || e.Request.RetryReason != "timeout" {
		t.Errorf("again in %v: %+v", ids, e.Request)
	}
	s.RedeliverAfter = time.Second
	ids = s.Redeliver()
	if e := l.next(t, socketmode.EventTypeEventsAPI); e.Request.RetryAttempt != 2 {
		t.Errorf("again: %+v", e.Request)
	}
	if err := s.AwaitAcks(ctx, ids...); err != nil {
		t.Fatal(err)
	}
}

func TestRedeliverAfter(t *testing.T) {
	s, ctx := New(t), timely(t)
	s.RedeliverAfter = 20 * time.Millisecond
	l := listen(t, s, &listener{mute: func(e socketmode.Event) bool { return e.Request.RetryAttempt < 3 }})
	s.Send(s.DM(Alice, "Hello"))
	var got []int
	for range 4 {
		got = append(got, l.next(t, socketmode.EventTypeEventsAPI).Request.RetryAttempt)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3}, got); diff != "" {
		t.Error(diff)
	}
	if err := s.Await(ctx, func(st *State) bool { return len(st.acked) == 1 }); err != nil {
		t.Fatal(err)
	}
}

// Events wait for a connection; after each way of losing one the library comes back.
func TestReconnects(t *testing.T) {
	cases := map[string]func(*Server, *Conn){
		"warning":       func(_ *Server, c *Conn) { c.Disconnect(Warning) },
		"refresh":       func(_ *Server, c *Conn) { c.Disconnect(RefreshRequested) },
		"link disabled": func(_ *Server, c *Conn) { c.Disconnect(LinkDisabled) },
		"reset":         func(_ *Server, c *Conn) { c.Reset() },
		"refused": func(s *Server, c *Conn) {
			s.RefuseConnections(1)
			c.Reset()
		},
	}
	for name, lose := range cases {
		t.Run(name, func(t *testing.T) {
			s := New(t)
			l := listen(t, s, &listener{})
			c := s.Conns()[0]
			lose(s, c)
			s.Send(s.DM(Alice, "Still there?"))
			l.next(t, socketmode.EventTypeEventsAPI)
			if now, ever := s.Connections(); now < 1 || ever != 2 {
				t.Errorf("%d connections now, %d ever", now, ever)
			}
			if opened := s.Calls("apps.connections.open"); name == "refused" && opened != 3 {
				t.Errorf("asked %d times", opened)
			}
		})
	}
}

// A deaf connection stays open, takes events and answers nothing.
func TestDeafen(t *testing.T) {
	s := New(t)
	ws := dial(t, s)
	c := s.Conns()[0]
	pongs := make(chan bool, 10)
	ws.SetPongHandler(func(string) error { pongs <- true; return nil })
	go func() { _, _, _ = ws.ReadMessage() }() // reads pongs
	ping := func() {
		if err := ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	ping()
	<-pongs
	c.Deafen()
	ping()
	lost := s.Send(s.DM(Alice, "Hello?")).Envelopes
	writeFrame(t, ws, map[string]any{"envelope_id": lost[0]})
	select {
	case <-pongs:
		t.Error("a deaf connection answered")
	case <-time.After(200 * time.Millisecond): // nothing can tell that nothing will come
	}
	if now, _ := s.Connections(); now != 1 || !slices.Equal(s.Unacked(), lost) {
		t.Errorf("%d connections, unacknowledged %v", now, s.Unacked())
	}
}

// Without pings the library thinks that the line is dead, and comes again.
func TestNoPings(t *testing.T) {
	s := New(t)
	s.PingInterval = -1
	client := socketmode.New(newAPI(s), socketmode.OptionPingInterval(100*time.Millisecond))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for {
			select {
			case <-client.Events:
			case <-ctx.Done():
				return
			}
		}
	}()
	done := make(chan struct{})
	go func() { defer close(done); _ = client.RunContext(ctx) }()
	if err := s.Await(timely(t), func(st *State) bool { return st.ever >= 3 }); err != nil {
		t.Error(err)
	}
	cancel()
	<-done
}

func TestTwoConnections(t *testing.T) {
	s := New(t)
	first, second := dial(t, s), dial(t, s)
	for range 2 {
		s.Send(s.DM(Alice, "Hello"))
	}
	one, two := frameOf(t, first), frameOf(t, second)
	if one["envelope_id"] == two["envelope_id"] {
		t.Error("one event came on both")
	}
	s.Conns()[0].Disconnect(Warning)
	s.Send(s.DM(Alice, "Hello"))
	if f := frameOf(t, first); f["type"] != "disconnect" || f["reason"] != "warning" {
		t.Errorf("frame %v", f)
	}
	if f := frameOf(t, second); f["type"] != "events_api" {
		t.Errorf("frame %v", f)
	}
	id := s.SendTo(s.Conns()[0], s.DM(Alice, "Hello").Events[0])
	if f := frameOf(t, first); f["envelope_id"] != id {
		t.Errorf("frame %v, want %s", f, id)
	}
	if err := s.Conns()[1].Raw("{not JSON"); err != nil {
		t.Error(err)
	}
	if _, raw, err := second.ReadMessage(); err != nil || string(raw) != "{not JSON" {
		t.Errorf("raw %q: %v", raw, err)
	}
}

func TestAckProblems(t *testing.T) {
	big := strings.Repeat("x", maxAck)
	cases := map[string]func(t *testing.T, a, b *websocket.Conn, id string){
		"acknowledged twice": func(t *testing.T, a, _ *websocket.Conn, id string) {
			writeFrame(t, a, map[string]any{"envelope_id": id})
			writeFrame(t, a, map[string]any{"envelope_id": id, "payload": map[string]any{}})
		},
		"acknowledged on 2": func(t *testing.T, _, b *websocket.Conn, id string) {
			writeFrame(t, b, map[string]any{"envelope_id": id})
		},
		"never sent": func(t *testing.T, a, _ *websocket.Conn, _ string) {
			writeFrame(t, a, map[string]any{"envelope_id": "nothing"})
		},
		"without envelope_id": func(t *testing.T, a, _ *websocket.Conn, _ string) {
			writeFrame(t, a, map[string]any{"ok": true})
		},
		"no acknowledgement": func(t *testing.T, a, _ *websocket.Conn, _ string) {
			writeFrame(t, a, []string{"a"})
		},
		"drops those": func(t *testing.T, a, _ *websocket.Conn, id string) {
			writeFrame(t, a, map[string]any{"envelope_id": id, "payload": map[string]any{"text": big}})
		},
		"carries no payload": func(t *testing.T, a, _ *websocket.Conn, id string) {
			writeFrame(t, a, map[string]any{"envelope_id": id, "payload": map[string]any{"text": "a"}})
		},
	}
	for want, do := range cases {
		t.Run(want, func(t *testing.T) {
			s := New(t)
			s.Tolerate = true
			a, b := dial(t, s), dial(t, s)
			id := s.SendTo(s.Conns()[0], s.DM(Alice, "Hello").Events[0])
			do(t, a, b, id)
			if err := s.Await(timely(t), func(*State) bool { return has(s.ackProblems, want) }); err != nil {
				t.Errorf("%v: problems are %q", err, s.AckProblems())
			}
		})
	}
}

func TestLateAck(t *testing.T) {
	s := New(t)
	s.Tolerate = true
	var late time.Duration
	s.SetNow(func() time.Time { return time.Now().Add(late) })
	ws := dial(t, s)
	act := s.Send(s.Command(Alice, General, "/ask", ""))
	s.See(func(*State) { late = 20 * time.Second })
	writeFrame(t, ws, map[string]any{"envelope_id": act.Envelopes[0], "payload": map[string]any{"text": "too late"}})
	if err := s.AwaitAcks(timely(t), act.Envelopes...); err != nil {
		t.Fatal(err)
	}
	if !has(s.AckProblems(), "Slack waits 3s") || len(s.Ephemerals(Alice)) != 0 {
		t.Errorf("problems %q, shown %v", s.AckProblems(), s.Ephemerals(Alice))
	}
}

func TestTickets(t *testing.T) {
	s := New(t)
	s.Tolerate = true
	_, u, err := newAPI(s).StartSocketModeContext(timely(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for range 2 {
		ws, resp, err := websocket.DefaultDialer.DialContext(timely(t), u, nil)
		got = append(got, resp.StatusCode)
		if err == nil {
			_ = ws.Close()
		}
	}
	if diff := cmp.Diff([]int{http.StatusSwitchingProtocols, http.StatusBadRequest}, got); diff != "" {
		t.Error(diff)
	}
	if !has(s.Violations(), "a ticket was used twice") {
		t.Errorf("violations %q", s.Violations())
	}
}

func TestTooManySockets(t *testing.T) {
	s := New(t)
	s.Tolerate = true
	for range maxSockets {
		dial(t, s)
	}
	_, u, err := newAPI(s).StartSocketModeContext(timely(t))
	if err != nil {
		t.Fatal(err)
	}
	ws, resp, err := websocket.DefaultDialer.DialContext(timely(t), u, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	defer func() { _ = ws.Close() }()
	if f := frameOf(t, ws); f["reason"] != TooManySockets {
		t.Errorf("frame %v", f)
	}
	if now, _ := s.Connections(); now != maxSockets || !has(s.AckProblems(), "one too many") {
		t.Errorf("%d connections, problems %q", now, s.AckProblems())
	}
}

// An events_api payload has all that the Events API promises.
func TestCallback(t *testing.T) {
	s := New(t)
	e := s.Mention(Partner, Shared, "Hello").Events[0]
	var got struct {
		TeamID         string                     `json:"team_id"`
		EventID        string                     `json:"event_id"`
		EventTime      int64                      `json:"event_time"`
		Ext            bool                       `json:"is_ext_shared_channel"`
		Authorizations []slack.EventAuthorization `json:"authorizations"`
	}
	if err := json.Unmarshal(encode(e.Payload), &got); err != nil {
		t.Fatal(err)
	}
	if got.TeamID != Team || got.EventID != e.ID || time.Since(time.Unix(got.EventTime, 0)) > time.Minute || !got.Ext || got.Authorizations[0].UserID != BotUser {
		t.Errorf("callback %+v", got)
	}
}
