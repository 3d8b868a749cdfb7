package slacktest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
)

// What people say reaches a bot of the vendor's library as that library means it.
func TestSayings(t *testing.T) {
	s := New(t)
	l := listen(t, s, &listener{})
	mention := s.Send(s.Mention(Alice, General, "How long?"))
	m, msg := inner[*slackevents.AppMentionEvent](t, l), inner[*slackevents.MessageEvent](t, l)
	if m.TimeStamp != mention.TS || msg.TimeStamp != mention.TS || m.User != Alice || m.Text != "<@"+BotUser+"> How long?" || msg.ClientMsgID == "" {
		t.Errorf("mention %+v, twin %+v", m, msg)
	}
	if mention.Events[0].ID == mention.Events[1].ID || mention.Events[0].Inner()["client_msg_id"] != msg.ClientMsgID || !msg.IsChannel() {
		t.Errorf("the twins are %v", mention.Events)
	}

	type fact struct {
		User, Text, Thread, Subtype, Kind, Bot string
		Files                                  int
	}
	cases := []struct {
		act  *Act
		want fact
	}{
		{s.DM(Bob, "Hello"), fact{User: Bob, Text: "Hello", Kind: "im"}},
		{s.Reply(Bob, General, mention.TS, "Me too"), fact{User: Bob, Text: "Me too", Thread: mention.TS, Kind: "channel"}},
		{s.Say(Saying{User: Bob, Channel: Private, Text: "Psst"}), fact{User: Bob, Text: "Psst", Kind: "group"}},
		{s.Say(Saying{User: Bob, Channel: Group, Text: "Psst"}), fact{User: Bob, Text: "Psst", Kind: "mpim"}},
		{s.Say(Saying{User: Bob, Text: "Look", File: "bill.txt"}), fact{User: Bob, Text: "Look", Kind: "im", Subtype: "file_share", Files: 1}},
		{s.Say(Saying{User: Bob, Channel: General, Thread: mention.TS, Text: "All", Broadcast: true}), fact{User: Bob, Text: "All", Thread: mention.TS, Kind: "channel", Subtype: "thread_broadcast"}},
		{s.Say(Saying{User: "USLACKBOT", Channel: General, Text: "Reminder"}), fact{User: "USLACKBOT", Text: "Reminder", Kind: "channel"}},
		{s.Say(Saying{User: "U0OTHERBOT", BotID: "B0OTHERBOT", Subtype: "bot_message", Text: "Beep", Channel: General}), fact{User: "U0OTHERBOT", Text: "Beep", Kind: "channel", Subtype: "bot_message", Bot: "B0OTHERBOT"}},
		{s.Join(Bob, General), fact{User: Bob, Text: "<@" + Bob + "> has joined the channel", Kind: "channel", Subtype: "channel_join"}},
	}
	for _, tc := range cases {
		s.Send(tc.act)
		e := inner[*slackevents.MessageEvent](t, l)
		got := fact{e.User, e.Text, e.ThreadTimeStamp, e.SubType, e.ChannelType, e.BotID, len(e.Message.Files)}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Error(diff)
		}
		if shown, ok := s.Message(tc.act.Channel, tc.act.TS); !ok || shown.Text != tc.want.Text {
			t.Errorf("%s is not shown: %+v", tc.want.Text, shown)
		}
	}
}

func TestMentionsOfBotsAndFiles(t *testing.T) {
	s := New(t)
	l := listen(t, s, &listener{})
	s.Send(s.OtherBot(General, "", "Beep"))
	if e := inner[*slackevents.AppMentionEvent](t, l); e.BotID != "B0OTHERBOT" {
		t.Errorf("other bot %+v", e)
	}
	s.Send(s.Slackbot(General, "Reminder"))
	inner[*slackevents.MessageEvent](t, l)
	if e := inner[*slackevents.AppMentionEvent](t, l); e.User != "USLACKBOT" {
		t.Errorf("Slackbot %+v", e)
	}
	s.Send(s.Upload(Alice, General, "What is this?", "bill.txt"))
	inner[*slackevents.MessageEvent](t, l)
	if e := inner[*slackevents.AppMentionEvent](t, l); len(e.Files) != 1 || e.Files[0].Name != "bill.txt" {
		t.Errorf("upload %+v", e)
	}
	s.Send(s.Mention(Partner, Shared, "And we?"))
	inner[*slackevents.MessageEvent](t, l)
	outer, _ := l.next(t, socketmode.EventTypeEventsAPI).Data.(slackevents.EventsAPIEvent)
	if e, _ := outer.InnerEvent.Data.(*slackevents.AppMentionEvent); e == nil || !outer.IsExtSharedChannel || e.UserTeam != Other {
		t.Errorf("partner %+v", outer)
	}
}

func TestChanges(t *testing.T) {
	s := New(t)
	l := listen(t, s, &listener{})
	q := s.Mention(Alice, General, "How long?")

	s.Send(s.Edit(General, q.TS, "How much?"))
	e := inner[*slackevents.MessageEvent](t, l)
	if e.SubType != "message_changed" || e.Message.Text != "<@"+BotUser+"> How much?" || e.Message.Edited == nil || e.PreviousMessage.Edited != nil || e.PreviousMessage.User != Alice {
		t.Errorf("edit %+v", e)
	}
	if again := inner[*slackevents.AppMentionEvent](t, l); again.Edited == nil || again.TimeStamp != q.TS {
		t.Errorf("the mention again %+v", again)
	}

	other := s.Say(Saying{User: Alice, Channel: General, Text: "See <https://example.com>"})
	s.Send(s.Unfurl(General, other.TS))
	if e := inner[*slackevents.MessageEvent](t, l); e.SubType != "message_changed" || e.Message.Edited != nil || e.Message.Text != e.PreviousMessage.Text || len(e.Message.Attachments) != 1 {
		t.Errorf("unfurl %+v", e)
	}

	s.Send(s.Delete(General, other.TS))
	if e := inner[*slackevents.MessageEvent](t, l); e.SubType != "message_deleted" || e.DeletedTimeStamp != other.TS || e.PreviousMessage.Text == "" {
		t.Errorf("delete %+v", e)
	}
	if _, ok := s.Message(General, other.TS); ok {
		t.Error("it is still shown")
	}

	s.Reply(Bob, General, q.TS, "I know")
	s.Send(s.Delete(General, q.TS))
	if e := inner[*slackevents.MessageEvent](t, l); e.SubType != "message_changed" || e.Message.SubType != "tombstone" || e.PreviousMessage.User != Alice {
		t.Errorf("tombstone %+v", e)
	}
}

func TestOtherEvents(t *testing.T) {
	s := New(t)
	l := listen(t, s, &listener{})
	s.Send(s.OpenHome(Alice))
	if e := inner[*slackevents.AppHomeOpenedEvent](t, l); e.Tab != "home" || e.Channel != DirectOf(Alice) {
		t.Errorf("home %+v", e)
	}
	s.Send(s.OpenMessages(Alice))
	if e := inner[*slackevents.AppHomeOpenedEvent](t, l); e.Tab != "messages" {
		t.Errorf("messages %+v", e)
	}
	s.Send(s.Uninstall())
	inner[*slackevents.AppUninstalledEvent](t, l)
	s.Send(s.TokensRevoked())
	if e := inner[*slackevents.TokensRevokedEvent](t, l); len(e.Tokens.Bot) != 1 {
		t.Errorf("revoked %+v", e)
	}
	q := s.DM(Alice, "Hello")
	s.Send(s.Stop(Alice, q.Channel, q.TS))
	if e := inner[*slackevents.AgentSessionStoppedEvent](t, l); e.ThreadTimestamp != q.TS {
		t.Errorf("stopped %+v", e)
	}
	s.Send(s.React(Bob, q.Channel, q.TS, "+1"))
	if e := inner[*slackevents.ReactionAddedEvent](t, l); e.Reaction != "+1" || e.Item.Timestamp != q.TS {
		t.Errorf("reaction %+v", e)
	}
}

func TestUnknownEvent(t *testing.T) {
	s := New(t)
	l := listen(t, s, &listener{})
	s.Send(s.Inner(map[string]any{"type": "moon_rose", "channel": General}))
	for e := range l.events {
		if e.Type == socketmode.EventTypeErrorBadMessage {
			return // as the library has it for types it does not know
		}
	}
}

func TestCommand(t *testing.T) {
	s, ctx := New(t), timely(t)
	api := newAPI(s)
	l := listen(t, s, &listener{reply: func(socketmode.Event) map[string]any { return map[string]any{"text": "Searching…"} }})
	act := s.Send(s.Command(Alice, Private, "/ask", "How long?"))
	cmd, _ := l.next(t, socketmode.EventTypeSlashCommand).Data.(slack.SlashCommand)
	want := slack.SlashCommand{
		Token: "verification", TeamID: Team, TeamDomain: "citebot", ChannelID: Private, ChannelName: "privategroup", UserID: Alice, UserName: "Alice",
		Command: "/ask", Text: "How long?", ResponseURL: act.ResponseURL, TriggerID: act.TriggerID, APIAppID: App,
	}
	if diff := cmp.Diff(want, cmd); diff != "" {
		t.Error(diff)
	}
	if first, err := s.AwaitEphemeral(ctx, Alice, nil); err != nil || first.Plain() != "Searching…" {
		t.Fatal(first, err)
	}
	replace := slack.MsgOptionCompose(plainly("14 days"), slack.MsgOptionReplaceOriginal(act.ResponseURL))
	if _, _, err := api.PostMessageContext(ctx, Private, replace); err != nil {
		t.Fatal(err)
	}
	if e := s.Ephemerals(Alice); len(e) != 1 || e[0].Plain() != "14 days" {
		t.Errorf("replaced %+v", e)
	}
	if _, _, err := api.PostMessageContext(ctx, Private, plainly("for all"), slack.MsgOptionResponseURL(act.ResponseURL, "in_channel")); err != nil {
		t.Fatal(err)
	}
	if all := s.Posts(Private, ""); len(all) != 1 || all[0].Plain() != "for all" || len(s.Requests(ResponseURL)) != 2 {
		t.Errorf("in the channel %+v", all)
	}
	if _, _, err := api.PostMessageContext(ctx, Private, slack.MsgOptionDeleteOriginal(act.ResponseURL)); err != nil {
		t.Fatal(err)
	}
	if e := s.Ephemerals(Alice); len(e) != 0 {
		t.Errorf("left %+v", e)
	}
}

func TestShortcut(t *testing.T) {
	s := New(t)
	l := listen(t, s, &listener{})
	said := s.Say(Saying{User: Bob, Channel: General, Text: "How long do refunds take?"})
	act := s.Send(s.Shortcut(Alice, General, said.TS, "answer_this"))
	c := interactive(t, l)
	got := []string{string(c.Type), c.CallbackID, c.Message.Text, c.Message.Timestamp, c.Channel.ID, c.User.ID, c.ResponseURL, c.TriggerID, c.Team.ID}
	want := []string{"message_action", "answer_this", "How long do refunds take?", said.TS, General, Alice, act.ResponseURL, act.TriggerID, Team}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// An answer with what people press: buttons of both kinds.
func pressable() []slack.Block {
	label := func(s string) *slack.TextBlockObject {
		return slack.NewTextBlockObject("plain_text", s, false, false)
	}
	return []slack.Block{
		slack.NewContextActionsBlock("", slack.NewFeedbackButtonsBlockElement("feedback",
			slack.NewFeedbackButton(label("Good"), "good:7"), slack.NewFeedbackButton(label("Bad"), "bad:7"))),
		slack.NewActionBlock("", slack.NewButtonBlockElement("person", "7", label("Ask a person"))),
	}
}

func TestClicks(t *testing.T) {
	s, ctx := New(t), timely(t)
	api := newAPI(s)
	l := listen(t, s, &listener{})
	q := s.Mention(Alice, General, "How long?")
	if _, _, err := api.PostMessageContext(ctx, General, plainly("14 days", slack.MsgOptionTS(q.TS), slack.MsgOptionBlocks(pressable()...))); err != nil {
		t.Fatal(err)
	}
	post := s.Posts(General, q.TS)[0]
	for want, act := range map[string]*Act{"good:7": s.ThumbsUp(Bob, post), "bad:7": s.ThumbsDown(Bob, post), "7": s.Click(Bob, post, "person")} {
		s.Send(act)
		c := interactive(t, l)
		a := c.ActionCallback.BlockActions[0]
		got := []string{a.Value, c.User.ID, c.Container.MessageTs, c.Container.ThreadTs, c.Container.ChannelID, c.Message.Timestamp, c.TriggerID, c.ResponseURL}
		if diff := cmp.Diff([]string{want, Bob, post.TS, q.TS, General, post.TS, act.TriggerID, act.ResponseURL}, got); diff != "" {
			t.Error(diff)
		}
		if (a.Type == "feedback_buttons") != (a.ActionID == "feedback") || a.BlockID == "" {
			t.Errorf("action %+v", a)
		}
	}
}

func TestClickOnEphemeral(t *testing.T) {
	s, ctx := New(t), timely(t)
	api := newAPI(s)
	l := listen(t, s, &listener{})
	if _, err := api.PostEphemeralContext(ctx, General, Alice, plainly("14 days", slack.MsgOptionBlocks(pressable()...))); err != nil {
		t.Fatal(err)
	}
	s.Send(s.Click(Alice, s.Ephemerals(Alice)[0], "person"))
	if c := interactive(t, l); !c.Container.IsEphemeral || c.Message.Timestamp != "" || c.ActionCallback.BlockActions[0].Value != "7" {
		t.Errorf("click %+v", c)
	}
}

// A click on what nobody sees is a mistake in the test.
func TestWrongActs(t *testing.T) {
	var seen witness
	s := New(&seen)
	q := s.Mention(Alice, General, "How long?")
	m, _ := s.Message(General, q.TS)
	s.Click(Alice, m, "person")
	s.Submit(Alice, nil)
	s.ClickHome(Alice, "person")
	s.Edit(General, "1.000001", "x")
	s.Say(Saying{User: Alice, Channel: "C0NOWHERE1", Text: "Hello"})
	seen.cleanup()
	for _, want := range []string{"sees no the button person", "no modal", "no home tab", "no message", "no channel"} {
		if !has(seen.lines, want) {
			t.Errorf("no word of %q in %q", want, seen.lines)
		}
	}
}

func feedbackModal() slack.ModalViewRequest {
	label := func(s string) *slack.TextBlockObject {
		return slack.NewTextBlockObject("plain_text", s, false, false)
	}
	input := slack.NewInputBlock("comment", label("What was wrong?"), nil, slack.NewPlainTextInputBlockElement(nil, "comment"))
	return slack.ModalViewRequest{
		Type: slack.VTModal, Title: label("Feedback"), Submit: label("Send"), Close: label("Cancel"), CallbackID: "feedback", PrivateMetadata: "7",
		Blocks: slack.Blocks{BlockSet: []slack.Block{input}}, NotifyOnClose: true,
	}
}

func TestModal(t *testing.T) {
	s, ctx := New(t), timely(t)
	api := newAPI(s)
	answers := make(chan map[string]any, 3)
	l := listen(t, s, &listener{reply: func(e socketmode.Event) map[string]any {
		if e.Type == socketmode.EventTypeInteractive {
			return <-answers
		}
		return nil
	}})
	opened := s.Command(Alice, General, "/ask", "")
	if _, err := api.OpenViewContext(ctx, opened.TriggerID, feedbackModal()); err != nil {
		t.Fatal(err)
	}
	if v, ok := s.Modal(Alice); !ok || v.Title != "Feedback" || v.CallbackID != "feedback" || v.PrivateMetadata != "7" || v.Plain() != "What was wrong?\n[]" {
		t.Errorf("modal %+v", v)
	}

	answers <- map[string]any{"response_action": "errors", "errors": map[string]any{"comment": "Too short"}}
	act := s.Send(s.Submit(Alice, map[string]string{"comment": "no"}))
	c := interactive(t, l)
	if c.Type != slack.InteractionTypeViewSubmission || c.View.State.Values["comment"]["comment"].Value != "no" || c.View.PrivateMetadata != "7" {
		t.Errorf("submission %+v", c)
	}
	if err := s.AwaitAcks(ctx, act.Envelopes...); err != nil {
		t.Fatal(err)
	}
	if v, ok := s.Modal(Alice); !ok || v.Errors["comment"] != "Too short" {
		t.Errorf("errors %+v", v)
	}

	answers <- nil
	s.Send(s.Submit(Alice, map[string]string{"comment": "It is out of date"}))
	gone := func(st *State) bool { _, ok := st.Modal(Alice); return !ok }
	if err := s.Await(ctx, gone); err != nil {
		t.Fatal(err)
	}

	again := s.Command(Alice, General, "/ask", "")
	if _, err := api.OpenViewContext(ctx, again.TriggerID, feedbackModal()); err != nil {
		t.Fatal(err)
	}
	answers <- nil
	s.Send(s.CloseModal(Alice))
	for c := interactive(t, l); c.Type != slack.InteractionTypeViewClosed; c = interactive(t, l) {
	}
	if see(s, gone) != true {
		t.Error("the modal is still open")
	}
}

// A submission may be answered with another view, which is held against the rules too.
func TestModalChanges(t *testing.T) {
	s, ctx := New(t), timely(t)
	s.Tolerate = true
	api := newAPI(s)
	answers := []map[string]any{
		{"response_action": "update", "view": modal(section("Thanks <!channel>"))},
		{"response_action": "errors", "errors": map[string]any{"nothing": "wrong"}},
		{"response_action": "clear"},
	}
	listen(t, s, &listener{reply: func(socketmode.Event) map[string]any {
		next := answers[0]
		answers = answers[1:]
		return next
	}})
	if _, err := api.OpenViewContext(ctx, s.Command(Alice, General, "/ask", "").TriggerID, feedbackModal()); err != nil {
		t.Fatal(err)
	}
	submit := func() {
		t.Helper()
		if err := s.AwaitAcks(ctx, s.Send(s.Submit(Alice, nil)).Envelopes...); err != nil {
			t.Fatal(err)
		}
	}
	submit()
	if v, _ := s.Modal(Alice); v.Plain() != "Thanks @channel" || !has(s.Violations(), "response_action update: ", "!channel") {
		t.Errorf("modal %q, violations %q", v.Plain(), s.Violations())
	}
	submit()
	if !has(s.Violations(), "response_action errors: ", "no input") {
		t.Errorf("violations %q", s.Violations())
	}
	submit()
	if v, open := s.Modal(Alice); open {
		t.Errorf("still open: %+v", v)
	}
}

func TestThreadSayings(t *testing.T) {
	s := New(t)
	s.AddUser(User{ID: "U0CAROL001", Name: "Carol"})
	q := s.Mention("U0CAROL001", General, "How long?")
	in, all := s.MentionIn(Bob, General, q.TS, "And boots?"), s.Broadcast(Bob, General, q.TS, "And gloves?")
	for _, act := range []*Act{in, all} {
		if act.Thread != q.TS || len(act.Events) != 2 || act.Events[0].Inner()["type"] != "app_mention" || act.Events[0].Inner()["thread_ts"] != q.TS {
			t.Errorf("act %+v", act)
		}
	}
	if root := object(all.Events[1].Inner()["root"]); root["ts"] != q.TS {
		t.Errorf("the root of a broadcast is %v", root)
	}
	var top []string
	for _, m := range s.Messages(General, "") {
		top = append(top, m.TS)
	}
	if diff := cmp.Diff([]string{q.TS, all.TS}, top); diff != "" || len(s.Messages(General, q.TS)) != 3 {
		t.Error(diff)
	}
}

func TestTriggers(t *testing.T) {
	s, ctx := New(t), timely(t)
	s.Tolerate = true
	now := s.now()
	s.SetNow(func() time.Time { return now })
	api := newAPI(s)
	open := func(id string) string {
		_, err := api.OpenViewContext(ctx, id, feedbackModal())
		return slackCode(err)
	}
	first, late := s.Command(Alice, General, "/ask", ""), s.Command(Alice, General, "/ask", "")
	got := []string{open(first.TriggerID), open(first.TriggerID), open("1.2.3")}
	now = now.Add(triggerLasts + 1)
	got = append(got, open(late.TriggerID))
	if diff := cmp.Diff([]string{"", "exchanged_trigger_id", "invalid_trigger_id", "expired_trigger_id"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestHome(t *testing.T) {
	s, ctx := New(t), timely(t)
	s.AllowLinks = []string{"https://docs.example/"}
	api := newAPI(s)
	l := listen(t, s, &listener{})
	label := slack.NewTextBlockObject("plain_text", "Try it", false, false)
	words := slack.NewTextBlockObject("mrkdwn", "*Documents* <https://docs.example/a|Returns>", false, false)
	home := slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{
		slack.NewSectionBlock(words, nil, nil), slack.NewActionBlock("try", slack.NewButtonBlockElement("try", "1", label)),
	}}}
	var hash string
	for range 2 {
		r, err := api.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: Alice, View: home, Hash: &hash})
		if err != nil {
			t.Fatal(err)
		}
		hash = r.Hash
	}
	stale := "1.0"
	if _, err := api.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: Alice, View: home, Hash: &stale}); slackCode(err) != "hash_conflict" {
		t.Errorf("published over another: %v", err)
	}
	v, ok := s.Home(Alice)
	if !ok || v.Plain() != "*Documents* Returns (https://docs.example/a)\n[Try it]" || v.Published != 2 || len(v.Links()) != 1 {
		t.Errorf("home %+v", v)
	}
	s.Send(s.ClickHome(Alice, "try"))
	if c := interactive(t, l); c.Container.Type != "view" || c.View.Type != slack.VTHomeTab || c.ActionCallback.BlockActions[0].BlockID != "try" {
		t.Errorf("click %+v", c)
	}
}

// With Echo the bot hears itself, as it does in the real Slack.
func TestEcho(t *testing.T) {
	s, ctx := New(t), timely(t)
	s.Echo = true
	api := newAPI(s)
	l := listen(t, s, &listener{})
	_, ts, err := api.PostMessageContext(ctx, General, plainly("14 days"))
	if err != nil {
		t.Fatal(err)
	}
	if e := inner[*slackevents.MessageEvent](t, l); e.BotID != Bot || e.User != BotUser || e.TimeStamp != ts {
		t.Errorf("echo %+v", e)
	}
	if _, _, _, err := api.UpdateMessageContext(ctx, General, ts, plainly("30 days")); err != nil {
		t.Fatal(err)
	}
	if e := inner[*slackevents.MessageEvent](t, l); e.SubType != "message_changed" || e.Message.BotID != Bot {
		t.Errorf("echo of an edit %+v", e)
	}
	if _, _, err := api.DeleteMessageContext(ctx, General, ts); err != nil {
		t.Fatal(err)
	}
	if e := inner[*slackevents.MessageEvent](t, l); e.SubType != "message_deleted" {
		t.Errorf("echo of a deletion %+v", e)
	}
	s.Send(s.OwnEcho(Message{Channel: General, TS: ts, User: BotUser, BotID: Bot, Text: "14 days"}))
	if e := inner[*slackevents.MessageEvent](t, l); e.BotID != Bot {
		t.Errorf("own echo %+v", e)
	}
}

func TestSubscriptions(t *testing.T) {
	s := New(t)
	s.Events = []string{"app_mention", "message.im"}
	var got []int
	for _, act := range []*Act{s.Mention(Alice, General, "a"), s.DM(Alice, "a"), s.Say(Saying{User: Alice, Channel: General, Text: "a"}), s.OpenHome(Alice)} {
		got = append(got, len(act.Events))
	}
	if diff := cmp.Diff([]int{1, 1, 0, 0}, got); diff != "" {
		t.Error(diff)
	}
}
