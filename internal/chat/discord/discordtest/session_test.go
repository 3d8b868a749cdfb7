package discordtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Whatever becomes of connections, a session that is resumed tells each message once, in order.
func TestResumedSessionsMissNothing(t *testing.T) {
	s := quiet(t)
	said := 0
	rapid.Check(t, func(r *rapid.T) {
		b := dial(t, s)
		session := b.enter(s)["session_id"]
		b.event("GUILD_CREATE")
		seq := int64(2)
		var want, got []string
		say := func() {
			said++
			want = append(want, fmt.Sprint(said))
			s.Send(s.DM(Alice, fmt.Sprint(said)))
		}
		hear := func() {
			for len(got) < len(want) {
				f, ok := b.next()
				if !ok {
					r.Fatalf("the connection ended: %v", b.ended)
				}
				seq = max(seq, f.S)
				if f.T == "MESSAGE_CREATE" {
					got = append(got, text(f.data()["content"]))
				}
			}
		}
		for range rapid.IntRange(1, 6).Draw(r, "lives") {
			for range rapid.IntRange(0, 3).Draw(r, "said") {
				say()
			}
			if rapid.Bool().Draw(r, "heard") {
				hear()
			}
			b.ws.Close()
			for range rapid.IntRange(0, 3).Draw(r, "missed") {
				say()
			}
			b = dial(t, s)
			b.resume(s, session, seq)
		}
		hear()
		if diff := cmp.Diff(want, got); diff != "" {
			r.Fatal(diff)
		}
		b.close(1000)
	})
}

func TestRefusesTooManySends(t *testing.T) {
	s := quiet(t)
	s.Tolerate = true
	b := dial(t, s)
	b.enter(s)
	for range maxSends + 10 {
		if b.ws.WriteJSON(map[string]any{"op": opPresence, "d": map[string]any{}}) != nil {
			break
		}
	}
	if got := b.code(); got != TooManySends || !has(s.Violations(), "120 frames") {
		t.Error(got, s.Violations())
	}
}

func TestRefusesLongFrames(t *testing.T) {
	s := quiet(t)
	s.Tolerate = true
	b := dial(t, s)
	b.enter(s)
	b.say(opPresence, map[string]any{"status": strings.Repeat("x", maxFrame)})
	if got := b.code(); got != DecodeError || !has(s.Violations(), "the limit is 4096") {
		t.Error(got, s.Violations())
	}
}
