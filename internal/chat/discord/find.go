package discord

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"citebot/internal/chat"

	api "github.com/bwmarrin/discordgo"
)

// Find implements [chat.Platform]. An interaction's first page is where its response is; other
// posts are looked for in the channel, and where an answer may have gone to its asker alone in
// the conversation with them. Only the pages that follow a private reply cannot be found.
func (d *Discord) Find(ctx context.Context, p chat.Post) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	if _, self := d.state.self(); self == "" {
		return "", &chat.Wait{For: selfPause, Err: errors.New("it is not known yet which posts are the bot's")}
	}
	if p.ReplyURL != "" {
		id, sure, err := d.findReply(ctx, p)
		if sure || err != nil {
			return id, err
		}
	}
	id, err := d.findIn(ctx, p, p.Channel)
	if id != "" || err != nil || !goesElsewhere(p) {
		return id, err
	}
	channel, err := d.directly(ctx, p.User)
	if err != nil {
		return "", unlessRefused(err)
	}
	return d.findIn(ctx, p, channel)
}

// unlessRefused drops an error that will not pass: where nothing can be read nothing is found.
func unlessRefused(err error) error {
	if chat.Retryable(err) {
		return err
	}
	return nil
}

// selfPause is between two looks whether Discord has said who the bot is.
const selfPause = 200 * time.Millisecond

// findReply looks for a page where the reply to an interaction is; sure is false where it may
// be elsewhere.
func (d *Discord) findReply(ctx context.Context, p chat.Post) (id string, sure bool, err error) {
	r, err := parseReply(p.ReplyURL)
	if err != nil {
		return "", false, err
	}
	if p.Page > 0 {
		return "", r.private, nil
	}
	var m found
	path := r.path(original)
	err = d.call(ctx, "GET", path, nil, &m)
	switch {
	case isCode(err, goneCodes):
		return "", false, nil
	case err != nil:
		return "", false, unlessRefused(err)
	case m.Flags&int(api.MessageFlagsLoading) != 0: // as the response left it
		return "", time.Since(p.Asked) < d.replyFor, nil
	}
	return ref{cmp.Or(m.ChannelID, p.Channel), m.ID}.String(), true, nil
}

// found is what is needed of a message of ours.
type found struct {
	ID        string     `json:"id"`
	ChannelID string     `json:"channel_id"`
	Author    *author    `json:"author"`
	Content   string     `json:"content"`
	Nonce     any        `json:"nonce"`
	Flags     int        `json:"flags"`
	Reference *reference `json:"message_reference"`
	Through   *struct {
		ID string `json:"id"`
	} `json:"interaction_metadata"`
}

// pageOfChannel is how many messages Discord shows at once, and pagesOfChannel how many pages
// are read: more has not been said in a channel since.
// https://discord.com/developers/docs/resources/message#get-channel-messages
const (
	pageOfChannel  = 100
	pagesOfChannel = 20
)

// findIn looks through what was said in a channel since the question.
func (d *Discord) findIn(ctx context.Context, p chat.Post, channel string) (string, error) {
	want, err := d.page(ctx, p)
	if err != nil {
		return "", err
	}
	after := idAt(p.Asked.Add(-time.Minute))
	for range pagesOfChannel {
		path := "/channels/" + channel + "/messages"
		var page []found
		err := d.call(ctx, "GET", path+"?"+url.Values{"limit": {fmt.Sprint(pageOfChannel)}, "after": {after}}.Encode(), nil, &page)
		if err != nil {
			return "", unlessRefused(err)
		}
		for _, m := range page {
			if d.isPost(m, p, want) {
				return ref{channel, m.ID}.String(), nil
			}
			after = later(after, m.ID)
		}
		if len(page) < pageOfChannel {
			break
		}
	}
	return "", nil
}

// isPost recognises a post by the name it was given, which Discord does not always show; else
// by its words, and by what it replies to or the interaction that it follows.
func (d *Discord) isPost(m found, p chat.Post, want message) bool {
	if m.Author == nil || !d.isSelf(m.Author.ID) {
		return false
	}
	if m.Nonce == nonce(p) {
		return true
	}
	replies := m.Reference != nil && m.Reference.MessageID == p.Message
	if p.Draft && replies {
		return true
	}
	if r, err := parseReply(p.ReplyURL); err == nil && m.Through != nil {
		replies = m.Through.ID == r.interaction
	}
	said := strings.TrimSpace(m.Content)
	ours := said == strings.TrimSpace(want.content) || said == strings.TrimSpace(lateMessage(want).content) ||
		said == strings.TrimSpace(elsewhereMessage(want).content) || said == strings.TrimSpace(plainMessage(p).content)
	return ours && (replies || m.Reference == nil && m.Through == nil)
}

// idAt is the least id of what is made at a time.
// https://discord.com/developers/docs/reference#snowflakes
func idAt(t time.Time) string {
	const epoch = 1420070400000
	return fmt.Sprint(max(0, t.UnixMilli()-epoch) << 22)
}

// later is the later of two ids, which are numbers without leading zeros.
func later(a, b string) string {
	if len(a) > len(b) || len(a) == len(b) && a > b {
		return a
	}
	return b
}
