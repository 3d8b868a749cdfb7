package slack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"citebot/internal/chat"

	api "github.com/slack-go/slack"
)

// One message a second and channel: https://docs.slack.dev/apis/web-api/rate-limits
const postEvery = time.Second

// A ref is where a post is, as the ledger keeps it: "C1/1763800000.000100", with
// "stream/" before it while it is a stream that was not ended.
type ref struct {
	stream      bool
	channel, ts string
}

func (r ref) String() string {
	if r.stream {
		return "stream/" + r.channel + "/" + r.ts
	}
	return r.channel + "/" + r.ts
}

func parseRef(id string) (ref, error) {
	rest, stream := strings.CutPrefix(id, "stream/")
	channel, ts, ok := strings.Cut(rest, "/")
	if !ok {
		return ref{}, fmt.Errorf("%q in the ledger is no post of Slack's", id)
	}
	return ref{stream, channel, ts}, nil
}

// Pages implements [chat.Platform].
func (s *Slack) Pages(p chat.Post) int { return len(s.messages(p)) }

// messages sets a post and what follows it.
func (s *Slack) messages(p chat.Post) []message {
	switch {
	case p.Draft:
		return []message{draftMessage()}
	case p.Via == chat.Handoff:
		return []message{handoffMessage(p, p.Name, p.Thread != "")}
	case p.Via == chat.Share:
		return shareMessage(p, false)
	}
	return pages(p, s.canCall(p))
}

// canCall reports whether there is a person that "Ask a person" could call from here.
func (s *Slack) canCall(p chat.Post) bool {
	person := s.person(p.Channel)
	private := s.isPrivate(chat.Message{Place: p.Place, Via: p.Via})
	return person.ID != "" && (!private || person.Channel != "")
}

// Send implements [chat.Platform].
func (s *Slack) Send(ctx context.Context, p chat.Post, draft string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	if p.ReplyURL != "" {
		return s.sendPrivately(ctx, p)
	}
	if draft != "" {
		at, err := parseRef(draft)
		if err != nil {
			return "", err
		}
		if err = s.Edit(ctx, p, draft); err == nil {
			s.replaced(p)
		}
		return ref{channel: at.channel, ts: at.ts}.String(), err
	}
	if p.Draft {
		return s.begin(ctx, p)
	}
	m, err := s.page(p)
	if err != nil {
		return "", err
	}
	at, err := s.create(ctx, p, p.Channel, p.Thread, m)
	if err != nil && isCode(err, placeCodes) {
		return s.sendElsewhere(ctx, p, m, err)
	}
	if err == nil {
		s.replaced(p)
	}
	return at.String(), err
}

func (s *Slack) page(p chat.Post) (message, error) {
	all := s.messages(p)
	if p.Page >= len(all) {
		return message{}, fmt.Errorf("page %d of %d", p.Page, len(all))
	}
	return all[p.Page], nil
}

// inWords is a message without blocks, for a Slack that refuses them.
func inWords(p chat.Post, m message) message {
	if p.Draft || p.Via == chat.Handoff {
		return message{text: m.text}
	}
	return plainMessage(p)
}

// create posts a message; in words alone where Slack does not take its blocks.
func (s *Slack) create(ctx context.Context, p chat.Post, channel, thread string, m message) (ref, error) {
	at, err := s.postMessage(ctx, p, channel, thread, m)
	if err != nil && isCode(err, formCodes) && len(m.blocks) > 0 {
		s.cfg.Log.Error("Slack refused a message's blocks; sent as text", slog.Any("error", details(err)))
		at, err = s.postMessage(ctx, p, channel, thread, inWords(p, m))
	}
	return at, err
}

// details is what Slack says about a refused message, which code alone does not.
func details(err error) error {
	var refused api.SlackErrorResponse
	if errors.As(err, &refused) && len(refused.ResponseMetadata.Messages) > 0 {
		return fmt.Errorf("%w: %s", safe(err), strings.Join(refused.ResponseMetadata.Messages, "; "))
	}
	return safe(err)
}

func (s *Slack) postMessage(ctx context.Context, p chat.Post, channel, thread string, m message) (ref, error) {
	method := "chat.postMessage"
	if err := s.held(method + " in " + channel); err != nil {
		return ref{}, err
	}
	options := append(m.options(), api.MsgOptionMetadata(mark(p)))
	if thread != "" {
		options = append(options, api.MsgOptionTS(thread))
	}
	at, ts, err := s.api.PostMessageContext(ctx, channel, options...)
	return ref{channel: at, ts: ts}, s.sending(method+" in "+channel, err)
}

// options are a message's own. Text and blocks are escaped already; nothing is unfurled.
func (m message) options() []api.MsgOption {
	return []api.MsgOption{
		api.MsgOptionText(m.text, false),
		api.MsgOptionBlocks(m.blocks...),
		api.MsgOptionDisableLinkUnfurl(),
		api.MsgOptionDisableMediaUnfurl(),
		api.MsgOptionParse(false), // addresses in words of documents become no links
	}
}

// mark is how a post is recognised: https://docs.slack.dev/messaging/message-metadata
func mark(p chat.Post) api.SlackMetadata {
	return api.SlackMetadata{EventType: metadataType, EventPayload: map[string]any{"key": p.Key}}
}

// Slot implements [chat.Platform].
func (s *Slack) Slot(p chat.Post) time.Duration {
	if p.ReplyURL != "" {
		return 0
	}
	return s.pace.Slot(p.Channel, p.Draft)
}

// goesElsewhere reports whether an answer may go to its asker alone: who did not ask gets
// nothing, and a direct message that refuses us leads nowhere else.
func goesElsewhere(p chat.Post) bool {
	return p.Via == chat.Mention || p.Via == chat.Shortcut || p.Via == chat.Command
}

// sendElsewhere brings an answer to its asker when the place refuses it. What was to be
// shown to others is not; who wanted that is told.
func (s *Slack) sendElsewhere(ctx context.Context, p chat.Post, m message, why error) (string, error) {
	if !goesElsewhere(p) && p.Via != chat.Handoff && p.Via != chat.Share {
		return "", why
	}
	channel, err := s.directly(ctx, p.User)
	if err != nil {
		return "", err
	}
	if !goesElsewhere(p) {
		text := map[chat.Via]string{chat.Handoff: sayNobodyCalled, chat.Share: sayNotShared}[p.Via]
		s.create(ctx, p, channel, "", message{text: text}) // the turn is over, told or not
		return "", why
	}
	s.cfg.Log.Warn("an answer goes to its asker alone: the channel refuses it", slog.Any("error", why))
	m.text = sayElsewhere + "\n" + m.text
	if len(m.blocks) > 0 {
		m.blocks = append([]api.Block{note(sayElsewhere)}, m.blocks...)
	}
	at, err := s.create(ctx, p, channel, "", m)
	if err == nil {
		s.Working(ctx, p, "") // nothing in the channel takes the note back
	}
	return at.String(), err
}

// note is a line of our own words in small print.
func note(text string) api.Block {
	return api.NewContextBlock("", api.NewTextBlockObject(api.PlainTextType, text, false, false))
}

// directly opens the conversation with one person.
func (s *Slack) directly(ctx context.Context, user string) (channel string, err error) {
	const method = "conversations.open"
	if err := s.held(method); err != nil {
		return "", err
	}
	c, _, _, err := s.api.OpenConversationContext(ctx, &api.OpenConversationParameters{Users: []string{user}})
	if err != nil {
		return "", s.sending(method, err)
	}
	return c.ID, nil
}

// begin puts up a placeholder: a stream where Slack offers one here, else a message.
func (s *Slack) begin(ctx context.Context, p chat.Post) (string, error) {
	const method = "chat.startStream"
	if p.Thread != "" && s.held(method) == nil {
		channel, ts, err := s.api.StartStreamContext(ctx, p.Channel,
			api.MsgOptionTS(p.Thread),
			api.MsgOptionRecipientTeamID(p.Team),
			api.MsgOptionRecipientUserID(p.User),
			api.MsgOptionChunks(api.NewTaskUpdateChunk("looking", sayLooking)),
		)
		err = s.sending(method, err)
		if err == nil {
			at := ref{true, channel, ts}
			s.streams.Store(at, struct{}{})
			return at.String(), nil
		}
		if errors.Is(err, chat.ErrUnknown) {
			return "", err
		}
	}
	at, err := s.create(ctx, p, p.Channel, p.Thread, draftMessage())
	return at.String(), err
}

// Edit implements [chat.Platform].
func (s *Slack) Edit(ctx context.Context, p chat.Post, id string) error {
	const method = "chat.update"
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	at, err := s.ended(ctx, id)
	if err == nil {
		err = s.held(method)
	}
	if err != nil {
		return err
	}
	m, err := s.page(p)
	if err != nil {
		return err
	}
	err = s.update(ctx, p, at, m)
	if err != nil && isCode(err, formCodes) && len(m.blocks) > 0 {
		s.cfg.Log.Error("Slack refused a message's blocks; sent as text", slog.Any("error", details(err)))
		err = s.update(ctx, p, at, inWords(p, m))
	}
	return err
}

func (s *Slack) update(ctx context.Context, p chat.Post, at ref, m message) error {
	_, _, _, err := s.api.UpdateMessageContext(ctx, at.channel, at.ts, append(m.options(), api.MsgOptionMetadata(mark(p)))...)
	return s.sending("chat.update", err)
}

// ended makes a stream a message like others; one that was ended already is one.
func (s *Slack) ended(ctx context.Context, id string) (ref, error) {
	const method = "chat.stopStream"
	at, err := parseRef(id)
	if err != nil || !at.stream {
		return at, err
	}
	if err := s.held(method); err != nil {
		return at, err
	}
	_, _, err = s.api.StopStreamContext(ctx, at.channel, at.ts)
	if err = s.sending(method, err); err != nil && code(err) == "" {
		return at, err
	}
	s.streams.Delete(at)
	return at, nil
}

// endStreams leaves no message open that nobody writes to any more. The answer replaces it
// when the bot runs again.
func (s *Slack) endStreams(ctx context.Context) {
	s.streams.Range(func(at, _ any) bool {
		s.ended(ctx, at.(ref).String())
		return ctx.Err() == nil
	})
}

// Remove implements [chat.Platform].
func (s *Slack) Remove(ctx context.Context, p chat.Post, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	at, err := s.ended(ctx, id)
	if err != nil {
		return err
	}
	_, _, err = s.api.DeleteMessageContext(ctx, at.channel, at.ts)
	if code(err) == "message_not_found" {
		return nil
	}
	return s.sending("chat.delete", err)
}

// Find implements [chat.Platform]: it reads the thread, and where the answer may have gone
// to its asker alone, that conversation. What went to a response URL cannot be read.
func (s *Slack) Find(ctx context.Context, p chat.Post) (string, error) {
	if p.ReplyURL != "" {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	id, err := s.findIn(ctx, p, p.Channel, p.Thread)
	switch {
	case code(err) == "missing_scope": // to look again will not help
		return "", fmt.Errorf("%w; the bot cannot see whether its answer was posted", errors.New(explain("conversations.replies", "SLACK_BOT_TOKEN", err)))
	case id != "" || err != nil && !isCode(err, placeCodes) || !goesElsewhere(p):
		return id, err
	}
	channel, err := s.directly(ctx, p.User)
	if err != nil {
		return "", err
	}
	return s.findIn(ctx, p, channel, "")
}

// pageOfThread is how many messages are read at once; most threads have fewer.
const pageOfThread = 200

// findIn looks through what was said since the question. Two messages may carry a mark only
// if Slack repeated one of our requests, which is not ours to mend.
func (s *Slack) findIn(ctx context.Context, p chat.Post, channel, thread string) (string, error) {
	oldest := fmt.Sprintf("%d.000000", p.Asked.Add(-time.Minute).Unix())
	for cursor := ""; ; {
		messages, next, err := s.said(ctx, channel, thread, oldest, cursor)
		if err != nil {
			return "", err
		}
		for _, m := range messages {
			if s.isPost(m, p) {
				return ref{!isMarked(m), channel, m.TS}.String(), nil
			}
		}
		if next == "" {
			return "", nil
		}
		cursor = next
	}
}

// A spoken is what is needed of a message in a thread. The client library decodes blocks,
// too, and gives up a whole page for one that it does not know.
type spoken struct {
	User     string             `json:"user"`
	BotID    string             `json:"bot_id"`
	Text     string             `json:"text"`
	TS       string             `json:"ts"`
	Metadata *api.SlackMetadata `json:"metadata"`
}

// said reads a page of a thread, or of a channel outside its threads.
// https://docs.slack.dev/reference/methods/conversations.replies
func (s *Slack) said(ctx context.Context, channel, thread, oldest, cursor string) ([]spoken, string, error) {
	method, values := "conversations.history", url.Values{
		"channel": {channel}, "oldest": {oldest}, "cursor": {cursor}, "limit": {strconv.Itoa(pageOfThread)}, "include_all_metadata": {"1"},
	}
	if thread != "" {
		method = "conversations.replies"
		values.Set("ts", thread)
	}
	if err := s.held(method); err != nil {
		return nil, "", err
	}
	var page struct {
		Messages []spoken `json:"messages"`
		Metadata struct {
			NextCursor string `json:"next_cursor"`
		} `json:"response_metadata"`
	}
	err := s.sending(method, s.call(ctx, method, values, &page))
	return page.Messages, page.Metadata.NextCursor, err
}

// isPost recognises a post by its mark. A stream cannot carry one until it is ended: ours
// without a mark, in a thread where turns are worked one after the other, is the one whose
// beginning was cut off. And should a mark be lost on the way, the words are enough.
func (s *Slack) isPost(m spoken, p chat.Post) bool {
	switch {
	case isMarked(m):
		return m.Metadata.EventPayload["key"] == p.Key
	case !s.state.isSelf(m.User) && !s.state.isSelf(m.BotID):
		return false
	case p.Draft:
		return true
	}
	page, err := s.page(p)
	return err == nil && m.Text == page.text
}

func isMarked(m spoken) bool { return m.Metadata != nil && m.Metadata.EventType == metadataType }
