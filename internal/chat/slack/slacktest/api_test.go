package slacktest

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
	"pgregory.net/rapid"
)

func TestAuthTest(t *testing.T) {
	s := New(t)
	s.Scopes = []string{"chat:write", "im:history"}
	who, err := newAPI(s).AuthTestContext(timely(t))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{who.UserID, who.BotID, who.TeamID, who.Header.Get("X-Oauth-Scopes")}
	if diff := cmp.Diff([]string{BotUser, Bot, Team, "chat:write,im:history"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTokens(t *testing.T) {
	cases := []struct {
		name, bot, app   string
		revoked          string
		wantAPI, wantApp string
	}{
		{name: "right", bot: "bot", app: "app"},
		{name: "wrong", bot: "xoxb-nobody", app: "xapp-nobody", wantAPI: "invalid_auth", wantApp: "invalid_auth"},
		{name: "none", wantAPI: "not_authed", wantApp: "not_authed"},
		{name: "changed over", bot: "app", app: "bot", wantAPI: "not_allowed_token_type", wantApp: "not_allowed_token_type"},
		{name: "revoked", bot: "bot", app: "app", revoked: "token_revoked", wantAPI: "token_revoked", wantApp: "token_revoked"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s := New(t)
			s.Revoke(tc.revoked)
			tokens := map[string]string{"bot": s.BotToken, "app": s.AppToken}
			api := slack.New(or(tokens[tc.bot], tc.bot), slack.OptionAPIURL(s.APIURL()), slack.OptionAppLevelToken(or(tokens[tc.app], tc.app)),
				slack.OptionHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
			_, err := api.AuthTestContext(timely(t))
			_, _, appErr := api.StartSocketModeContext(timely(t))
			if got := []string{slackCode(err), slackCode(appErr)}; !slices.Equal(got, []string{tc.wantAPI, tc.wantApp}) {
				t.Errorf("got %q, want %q and %q", got, tc.wantAPI, tc.wantApp)
			}
		})
	}
}

// A token may be in the form or in the header; JSON and forms say the same.
func TestTokenForms(t *testing.T) {
	s := New(t)
	form := url.Values{"token": {s.BotToken}, "channel": {General}, "text": {"a"}, "unfurl_links": {"false"}, "unfurl_media": {"false"}}
	bodies := map[string]string{
		"application/x-www-form-urlencoded": form.Encode(),
		"application/json; charset=utf-8":   `{"channel":"` + General + `","text":"a","unfurl_links":false,"unfurl_media":false}`,
		"application/json":                  `{"channel":"` + General + `","text":"a","unfurl_links":false,"unfurl_media":false}`,
	}
	for _, kind := range sortedKeys(bodies) {
		bearer := ""
		if strings.Contains(kind, "json") {
			bearer = s.BotToken
		}
		got := object(rawCall(t, s, "chat.postMessage", kind, bearer, bodies[kind]))
		if got["ok"] != true || object(got["message"])["text"] != "a" {
			t.Errorf("%s: %v", kind, got)
		}
		if warned := got["warning"] == "missing_charset"; warned != (kind == "application/json") {
			t.Errorf("%s: warning is %v", kind, got["warning"])
		}
	}
	if got := len(s.Posts(General, "")); got != 3 {
		t.Errorf("%d posts", got)
	}
	if args := s.Requests("chat.postMessage")[1].Args; args["token"] != nil {
		t.Error("the record holds the token")
	}
}

// rawCall calls a method as it is written here.
func rawCall(t *testing.T, s *Server, method, contentType, bearer, body string) any {
	t.Helper()
	req, err := http.NewRequestWithContext(timely(t), http.MethodPost, s.APIURL()+method, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	r, err := s.do(Endpoint{}, req, nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := decode("answer", string(r.Body))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPostUpdateDelete(t *testing.T) {
	s, ctx := New(t), timely(t)
	api := newAPI(s)
	question := s.Mention(Alice, General, "How long?")
	meta := slack.SlackMetadata{EventType: "citebot_post", EventPayload: map[string]any{"key": "k1"}}
	ch, ts, posted, err := api.PostMessageWithResponseContext(ctx, General, plainly("14 <days>", slack.MsgOptionTS(question.Thread), slack.MsgOptionMetadata(meta)))
	if err != nil || ch != General || posted.ThreadTimestamp != question.TS || posted.BotID != Bot || posted.Metadata.EventPayload["key"] != "k1" {
		t.Fatalf("posted %+v: %v", posted, err)
	}
	section := slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", "30 days", false, false), nil, nil)
	if _, _, _, err := api.UpdateMessageContext(ctx, General, ts, plainly("30 days", slack.MsgOptionBlocks(section))); err != nil {
		t.Fatal(err)
	}
	thread := s.Messages(General, question.Thread)
	if len(thread) != 2 || thread[1].Plain() != "30 days" || !slices.Equal(thread[1].History, []string{"14 <days>"}) || thread[1].Metadata == nil {
		t.Errorf("shown: %+v", thread)
	}
	if _, _, _, err := api.UpdateMessageContext(ctx, General, ts, plainly("none")); err != nil {
		t.Fatal(err)
	}
	if m, _ := s.Message(General, ts); len(m.Blocks) != 0 || m.Plain() != "none" {
		t.Errorf("text alone must remove the blocks: %+v", m)
	}
	if _, _, err := api.DeleteMessageContext(ctx, General, ts); err != nil {
		t.Fatal(err)
	}
	if left := s.Posts(General, question.Thread); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	if len(question.TS) != len("1763800000.000100") || ts <= question.TS {
		t.Errorf("ts %s after %s", ts, question.TS)
	}
}

func TestRefusals(t *testing.T) {
	s, ctx := New(t), timely(t)
	s.AddChannel(Channel{ID: "C0OLD00001", Name: "old", Type: PublicChannel, Archived: true})
	s.AddChannel(Channel{ID: "C0ELSEWHER", Name: "elsewhere", Type: PublicChannel, NotMember: true})
	s.AddChannel(Channel{ID: "C0SECRET01", Name: "secret", Type: PrivateChannel, NotMember: true})
	alice := s.Mention(Alice, General, "Hello")
	api := newAPI(s)
	_, own, err := api.PostMessageContext(ctx, General, plainly("mine"))
	if err != nil {
		t.Fatal(err)
	}
	post := func(channel string) error {
		_, _, err := api.PostMessageContext(ctx, channel, plainly("a"))
		return err
	}
	update := func(ts string) error {
		_, _, _, err := api.UpdateMessageContext(ctx, General, ts, plainly("a"))
		return err
	}
	remove := func(ts string) error { _, _, err := api.DeleteMessageContext(ctx, General, ts); return err }
	replies := func(ts string) error {
		_, _, _, err := api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{ChannelID: General, Timestamp: ts})
		return err
	}
	ephemeral := func(user string) error {
		_, err := api.PostEphemeralContext(ctx, General, user, plainly("a"))
		return err
	}
	react := func(ts, name string) error {
		return api.AddReactionContext(ctx, name, slack.NewRefToMessage(General, ts))
	}
	stream := func(channel string, o ...slack.MsgOption) error {
		_, _, err := api.StartStreamContext(ctx, channel, o...)
		return err
	}
	user := func(id string) error { _, err := api.GetUserInfoContext(ctx, id); return err }
	info := func(id string) error {
		_, err := api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: id})
		return err
	}
	open := func(id string) error {
		_, _, _, err := api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{id}})
		return err
	}
	status := func(thread string) error {
		return api.SetAssistantThreadsStatusContext(ctx, slack.AssistantThreadsSetStatusParameters{ChannelID: General, ThreadTS: thread, Status: "is thinking…"})
	}
	cases := []struct {
		err  error
		want string
	}{
		{post("C0NOWHERE1"), "channel_not_found"},
		{post("C0OLD00001"), "is_archived"},
		{post("C0ELSEWHER"), "not_in_channel"},
		{post("C0SECRET01"), "channel_not_found"},
		{update(alice.TS), "cant_update_message"},
		{update("1.000001"), "message_not_found"},
		{remove(alice.TS), "cant_delete_message"},
		{remove("1.000001"), "message_not_found"},
		{replies("1.000001"), "thread_not_found"},
		{ephemeral("U0NOBODY01"), "user_not_in_channel"},
		{react("1.000001", "eyes"), "message_not_found"},
		{react(own, "eyes"), ""},
		{react(own, "eyes"), "already_reacted"},
		{stream(General, slack.MsgOptionTS(alice.TS), slack.MsgOptionRecipientUserID(Alice)), "missing_recipient_team_id"},
		{stream(General, slack.MsgOptionTS(alice.TS), slack.MsgOptionRecipientTeamID(Team)), "missing_recipient_user_id"},
		{user("U0NOBODY01"), "user_not_found"},
		{info("C0NOWHERE1"), "channel_not_found"},
		{info("C0ELSEWHER"), ""},
		{open("U0NOBODY01"), "user_not_found"},
		{open(Bob), ""},
		{status("1.000001"), "invalid_thread_ts"},
		{status(alice.TS), ""},
	}
	for i, tc := range cases {
		if got := slackCode(tc.err); got != tc.want || tc.want == "" && tc.err != nil {
			t.Errorf("%d: got %q (%v), want %q", i, got, tc.err, tc.want)
		}
	}
	s.Tolerate = true // the two streams without a recipient
}

func TestMissingScope(t *testing.T) {
	s := New(t)
	s.Scopes = []string{"chat:write"}
	_, err := newAPI(s).GetUserInfoContext(timely(t), Alice)
	var refused slack.SlackErrorResponse
	if !errors.As(err, &refused) || refused.Err != "missing_scope" || refused.Needed != "users:read" || refused.Provided != "chat:write" {
		t.Errorf("got %#v", err)
	}
}

func TestScopesUsed(t *testing.T) {
	s, ctx := New(t), timely(t)
	s.Events = []string{"app_mention", "message.im"}
	api := newAPI(s)
	for _, channel := range []string{General, Private, Group, DirectOf(Alice)} {
		q := s.Say(Saying{User: Alice, Channel: channel, Text: "Hello", Mention: true})
		s.Send(q)
		if _, _, _, err := api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{ChannelID: channel, Timestamp: q.TS}); err != nil {
			t.Fatal(err)
		}
	}
	s.Send(s.Command(Alice, General, "/ask", "a"))
	if _, err := api.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: Alice, View: slack.HomeTabViewRequest{Type: "home"}}); err != nil {
		t.Fatal(err)
	}
	want := []string{"app_mentions:read", "channels:history", "commands", "groups:history", "im:history", "mpim:history"}
	if diff := cmp.Diff(want, s.ScopesUsed()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"conversations.replies", "views.publish"}, s.MethodsUsed()); diff != "" {
		t.Error(diff)
	}
}

// Whatever the page size, the pages together are the thread, in order.
func TestRepliesPages(t *testing.T) {
	s := New(t)
	api := newAPI(s)
	q := s.Mention(Alice, General, "Root")
	var want []string
	for i := range 11 {
		want = append(want, s.Reply(Bob, General, q.TS, "Reply "+strconv.Itoa(i)).TS)
	}
	rapid.Check(t, func(t *rapid.T) {
		params := &slack.GetConversationRepliesParameters{ChannelID: General, Timestamp: q.TS, Limit: rapid.IntRange(1, 13).Draw(t, "limit")}
		from := rapid.IntRange(-1, len(want)-1).Draw(t, "oldest")
		if from >= 0 {
			params.Oldest, params.Inclusive = want[from], rapid.Bool().Draw(t, "inclusive")
		}
		expect := want[from+1:]
		if params.Inclusive {
			expect = want[from:]
		}
		var got []string
		for more := true; more; {
			page, hasMore, cursor, err := api.GetConversationReplies(params)
			if err != nil || page[0].Timestamp != q.TS || len(page) > params.Limit+1 {
				t.Fatalf("page %v: %v", page, err)
			}
			for _, m := range page[1:] {
				got = append(got, m.Timestamp)
			}
			more, params.Cursor = hasMore, cursor
		}
		if !slices.Equal(expect, got) {
			t.Fatalf("got %v, want %v", got, expect)
		}
	})
}

// A history goes back in time, without what is said in threads.
func TestHistoryPages(t *testing.T) {
	s := New(t)
	api := newAPI(s)
	var said []string
	for i := range 7 {
		m := s.Say(Saying{User: Alice, Channel: Private, Text: strconv.Itoa(i)})
		s.Reply(Bob, Private, m.TS, "Reply")
		said = append(said, m.TS)
	}
	for limit := range 9 {
		params := &slack.GetConversationHistoryParameters{ChannelID: Private, Limit: limit, Oldest: said[1]}
		var got []string
		for more := true; more; {
			page, err := api.GetConversationHistoryContext(timely(t), params)
			if err != nil || limit > 0 && len(page.Messages) > limit {
				t.Fatalf("page %+v: %v", page, err)
			}
			for _, m := range page.Messages {
				got = append(got, m.Timestamp)
			}
			more, params.Cursor = page.HasMore, page.ResponseMetaData.NextCursor
		}
		slices.Reverse(got)
		if !slices.Equal(got, said[2:]) {
			t.Errorf("limit %d: %v, want %v", limit, got, said[2:])
		}
	}
}

func TestRepliesMetadata(t *testing.T) {
	s, ctx := New(t), timely(t)
	api := newAPI(s)
	q := s.Mention(Alice, General, "Root")
	meta := slack.SlackMetadata{EventType: "citebot_post", EventPayload: map[string]any{"key": "k1"}}
	if _, _, err := api.PostMessageContext(ctx, General, plainly("Answer", slack.MsgOptionTS(q.TS), slack.MsgOptionMetadata(meta))); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		params := &slack.GetConversationRepliesParameters{ChannelID: General, Timestamp: q.TS, IncludeAllMetadata: want}
		page, _, _, err := api.GetConversationRepliesContext(ctx, params)
		if err != nil || len(page) != 2 {
			t.Fatalf("page %+v: %v", page, err)
		}
		if got := page[1].Metadata.EventPayload["key"] == "k1"; got != want {
			t.Errorf("metadata %+v with include_all_metadata %v", page[1].Metadata, want)
		}
		if page[0].ReplyCount != 1 || page[0].User != Alice || page[1].BotID != Bot {
			t.Errorf("page %+v", page)
		}
	}
}

func TestConversations(t *testing.T) {
	s, ctx := New(t), timely(t)
	api := newAPI(s)
	type facts struct{ Ext, IM, Private bool }
	want := map[string]facts{General: {}, Private: {Private: true}, Shared: {Ext: true}, DirectOf(Alice): {IM: true, Private: true}}
	for id, f := range want {
		c, err := api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: id})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(f, facts{c.IsExtShared, c.IsIM, c.IsPrivate}); diff != "" {
			t.Errorf("%s: %s", id, diff)
		}
	}
	c, _, _, err := api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{Bob}, ReturnIM: true})
	if err != nil || c.ID != DirectOf(Bob) || c.User != Bob {
		t.Errorf("opened %+v: %v", c, err)
	}
	u, err := api.GetUserInfoContext(ctx, Bob)
	if err != nil || u.Name != "bob" || u.Profile.DisplayName != "Bob" || u.IsBot {
		t.Errorf("user %+v: %v", u, err)
	}
	if ch, _, err := api.PostMessageContext(ctx, Alice, plainly("by user")); err != nil || ch != DirectOf(Alice) {
		t.Errorf("posted to %s: %v", ch, err)
	}
}

func TestEphemeral(t *testing.T) {
	s, ctx := New(t), timely(t)
	api := newAPI(s)
	ts, err := api.PostEphemeralContext(ctx, General, Alice, plainly("only you"))
	if err != nil || ts == "" {
		t.Fatal(ts, err)
	}
	if e := s.Ephemerals(Alice); len(e) != 1 || e[0].Plain() != "only you" || len(s.Messages(General, ""))+len(s.Ephemerals(Bob)) != 0 {
		t.Errorf("shown %+v", e)
	}
	if _, _, _, err := api.UpdateMessageContext(ctx, General, ts, plainly("other")); slackCode(err) != "message_not_found" {
		t.Errorf("updated an ephemeral message: %v", err)
	}
}

func TestStatus(t *testing.T) {
	s, ctx := New(t), timely(t)
	now := time.Now()
	s.SetNow(func() time.Time { return now })
	api := newAPI(s)
	q := s.Mention(Alice, General, "How long?")
	set := func(status string) {
		t.Helper()
		if err := api.SetAssistantThreadsStatusContext(ctx, slack.AssistantThreadsSetStatusParameters{ChannelID: General, ThreadTS: q.TS, Status: status}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(status string) {
		t.Helper()
		if got := s.Status(General, q.TS); got != status {
			t.Errorf("the status is %q, want %q", got, status)
		}
	}
	set("is searching…")
	want("is searching…")
	set("")
	want("")
	set("is writing…")
	if _, _, err := api.PostMessageContext(ctx, General, plainly("14 days", slack.MsgOptionTS(q.TS))); err != nil {
		t.Fatal(err)
	}
	want("")
	set("is thinking…")
	now = now.Add(3 * time.Minute)
	want("")
}

func TestPrompts(t *testing.T) {
	s, ctx := New(t), timely(t)
	api := newAPI(s)
	params := slack.AssistantThreadsSetSuggestedPromptsParameters{ChannelID: DirectOf(Alice), Title: "Try"}
	params.AddPrompt("Returns", "How do I return?")
	if err := api.SetAssistantThreadsSuggestedPromptsContext(ctx, params); err != nil {
		t.Fatal(err)
	}
	want := []Prompt{{"Returns", "How do I return?"}}
	if diff := cmp.Diff(want, s.Prompts(Alice)); diff != "" {
		t.Error(diff)
	}
}

func TestStream(t *testing.T) {
	s, ctx := New(t), timely(t)
	api := newAPI(s)
	q := s.Mention(Alice, General, "How long?")
	to := []slack.MsgOption{slack.MsgOptionTS(q.TS), slack.MsgOptionRecipientTeamID(Team), slack.MsgOptionRecipientUserID(Alice)}
	_, ts, err := api.StartStreamContext(ctx, General, append(to, slack.MsgOptionMarkdownText("It takes "))...)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := api.UpdateMessageContext(ctx, General, ts, plainly("x")); slackCode(err) != "streaming_state_conflict" {
		t.Errorf("updated a stream: %v", err)
	}
	if _, _, err := api.AppendStreamContext(ctx, General, ts, slack.MsgOptionMarkdownText("14 days.")); err != nil {
		t.Fatal(err)
	}
	if m, _ := s.Message(General, ts); !m.Streaming || m.Plain() != "It takes 14 days." {
		t.Errorf("streaming %+v", m)
	}
	button := slack.NewButtonBlockElement("person", "1", slack.NewTextBlockObject("plain_text", "Ask a person", false, false))
	if _, _, err := api.StopStreamContext(ctx, General, ts, slack.MsgOptionBlocks(slack.NewActionBlock("", button))); err != nil {
		t.Fatal(err)
	}
	m, err := s.AwaitPost(ctx, General, q.Thread, nil)
	if err != nil || m.Streaming || m.Plain() != "It takes 14 days.\n[Ask a person]" || len(s.Posts(General, q.Thread)) != 1 {
		t.Errorf("stopped %+v: %v", m, err)
	}
	if _, _, err := api.AppendStreamContext(ctx, General, ts, slack.MsgOptionMarkdownText("more")); slackCode(err) != "message_not_in_streaming_state" {
		t.Errorf("appended to a stopped stream: %v", err)
	}
}

func TestStreamChunks(t *testing.T) {
	s, ctx := New(t), timely(t)
	s.AllowLinks = []string{"https://docs.example/"}
	api := newAPI(s)
	q := s.DM(Alice, "How long?")
	task := func(status slack.TaskCardStatus) slack.MsgOption {
		chunk := slack.NewTaskUpdateChunk("t1", "Searching")
		chunk.Status = status
		return slack.MsgOptionChunks(chunk)
	}
	_, ts, err := api.StartStreamContext(ctx, DirectOf(Alice), slack.MsgOptionTS(q.TS), task(slack.TaskCardStatusInProgress))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := api.AppendStreamContext(ctx, DirectOf(Alice), ts, task(slack.TaskCardStatusComplete)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := api.AppendStreamContext(ctx, DirectOf(Alice), ts, slack.MsgOptionMarkdownText("no")); slackCode(err) != "streaming_mode_mismatch" {
		t.Errorf("mixed chunks and text: %v", err)
	}
	if _, _, err := api.AppendStreamContext(ctx, DirectOf(Alice), ts, slack.MsgOptionChunks(slack.NewMarkdownTextChunk("See [1](https://docs.example/a)."))); err != nil {
		t.Fatal(err)
	}
	if got := s.Stop(Alice, DirectOf(Alice), q.TS).Events[0].Inner()["streaming_message_ts"]; !slices.Equal(got.([]string), []string{ts}) {
		t.Errorf("stopped %v", got)
	}
	if _, _, err := api.AppendStreamContext(ctx, DirectOf(Alice), ts, slack.MsgOptionChunks(slack.NewMarkdownTextChunk("more"))); slackCode(err) != "stopped_by_user" {
		t.Errorf("appended after stop: %v", err)
	}
	m, _ := s.Message(DirectOf(Alice), ts)
	if m.Plain() != "Searching\nSee [1](https://docs.example/a)." || !slices.Equal(m.Links(), []string{"https://docs.example/a"}) {
		t.Errorf("shown %q, links %v", m.Plain(), m.Links())
	}
}

func TestReactions(t *testing.T) {
	s, ctx := New(t), timely(t)
	api := newAPI(s)
	q := s.Mention(Alice, General, "How long?")
	ref := slack.NewRefToMessage(General, q.TS)
	if err := api.AddReactionContext(ctx, "eyes", ref); err != nil {
		t.Fatal(err)
	}
	if m, _ := s.Message(General, q.TS); !slices.Equal(m.Reactions, []string{"eyes " + BotUser}) {
		t.Errorf("reactions %v", m.Reactions)
	}
	if err := api.RemoveReactionContext(ctx, "eyes", ref); err != nil {
		t.Fatal(err)
	}
	if err := api.RemoveReactionContext(ctx, "eyes", ref); slackCode(err) != "no_reaction" {
		t.Errorf("removed twice: %v", err)
	}
}
