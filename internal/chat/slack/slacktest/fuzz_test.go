package slacktest

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// Whatever a bot sends, the fake answers, and shows what is left of it.
func FuzzAPI(f *testing.F) {
	s := New(f)
	s.Tolerate, s.Forget = true, true
	names := sortedKeys(s.methods)
	q := s.Mention(Alice, General, "How long?")
	seeds := []args{
		goodPost, goodEphemeral, goodStatus, goodPrompts, goodStream, goodAppend, goodModal, goodHome, {"channel": General, "ts": q.TS, "blocks": "[null,7]"},
		{"channel": General, "text": "<|x> <> <!|a> <@> [a](<b)"}, {"users": Alice, "user": Alice, "channel": General, "cursor": "x", "limit": "-1"},
		{"chunks": `[{"type":"markdown_text","text":7},null]`, "metadata": "[]", "view": "7", "prompts": "{}", "channel": General},
	}
	for i, a := range seeds {
		for m := range names {
			f.Add(uint8(m), i%2 == 0, strings.ReplaceAll(a.with("thread_ts", q.TS).form(s.BotToken), "TS", q.TS))
		}
		f.Add(uint8(i), false, string(encode(map[string]any(a))))
	}
	f.Fuzz(func(t *testing.T, method uint8, form bool, body string) {
		req := httptest.NewRequest("POST", "/api/x", strings.NewReader(body))
		req.SetPathValue("method", names[int(method)%len(names)])
		req.Header.Set("Authorization", "Bearer "+s.BotToken)
		req.Header.Set("Content-Type", "application/json")
		if form {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		s.serveAPI(w, req)
		if v, err := decode("the answer", w.Body.String()); err != nil || object(v)["ok"] == nil {
			t.Errorf("answered %q: %v", w.Body, err)
		}
		s.See(func(st *State) {
			st.shown()
			for _, m := range slices.Concat(st.Messages(General, ""), st.Messages(General, q.TS), st.Ephemerals(Alice)) {
				m.Links()
				m.Elements()
			}
			if home, ok := st.Home(Alice); ok {
				home.Plain()
			}
		})
	})
}
