package slacktest

import (
	"slices"
	"strconv"
	"strings"
)

// This file is conversations and users. Everything in it runs under the server's lock.

// readable finds the conversation that a call reads; it may be archived.
func (s *Server) readable(c *call) (*channel, answer) {
	ch, refused := s.place(c)
	if refused != nil && refused.code() == "is_archived" {
		return s.state.channel(c.channel()), nil
	}
	return ch, refused
}

// history pages through what is at the top level, newest first.
// https://docs.slack.dev/reference/methods/conversations.history
func (s *Server) history(c *call) answer {
	ch, refused := s.readable(c)
	if refused != nil {
		return refused
	}
	withMetadata, _ := c.Bool("include_all_metadata")
	messages, limit := []any{}, c.limit(100)
	for _, m := range slices.Backward(ch.top) {
		if before := c.String("cursor"); !c.within(m.TS) || before != "" && m.TS >= before {
			continue
		}
		if len(messages) == limit {
			return paged(messages, messages[limit-1])
		}
		messages = append(messages, s.wire(m, withMetadata))
	}
	return paged(messages, nil)
}

// limit is how many messages a page has.
func (c *call) limit(otherwise int) int {
	if n, err := strconv.Atoi(c.String("limit")); err == nil && n > 0 {
		return min(n, 1000)
	}
	return otherwise
}

// paged is a page; after last there are more.
func paged(messages []any, last any) answer {
	return answer{
		"messages": messages, "has_more": last != nil,
		"response_metadata": map[string]any{"next_cursor": text(object(last)["ts"])},
	}
}

// replies pages through a thread, oldest first. Each page begins with the root, which does
// not count. https://docs.slack.dev/reference/methods/conversations.replies
func (s *Server) replies(c *call) answer {
	ch, refused := s.readable(c)
	if refused != nil {
		return refused
	}
	m := ch.byTS[c.String("ts")]
	if m == nil {
		return fail("thread_not_found")
	}
	withMetadata, _ := c.Bool("include_all_metadata")
	if m.ThreadTS != "" { // a reply alone
		return paged([]any{s.wire(m, withMetadata)}, nil)
	}
	return s.page(c, ch, m, withMetadata)
}

func (s *Server) page(c *call, ch *channel, root *Message, withMetadata bool) answer {
	messages, limit := []any{s.wire(root, withMetadata)}, c.limit(1000)
	for _, m := range ch.replies[root.TS] {
		if !c.within(m.TS) || m.TS <= c.String("cursor") {
			continue
		}
		if len(messages) > limit {
			return paged(messages, messages[limit])
		}
		messages = append(messages, s.wire(m, withMetadata))
	}
	return paged(messages, nil)
}

// within tells whether a ts lies between oldest and latest. All ts have as many digits.
func (c *call) within(ts string) bool {
	oldest, latest := c.String("oldest"), c.String("latest")
	if inclusive, _ := c.Bool("inclusive"); inclusive && (ts == oldest || ts == latest) {
		return true
	}
	return (oldest == "" || oldest == "0" || ts > oldest) && (latest == "" || ts < latest)
}

func (s *Server) info(c *call) answer {
	ch := s.state.channel(c.channel())
	if ch == nil || ch.NotMember && ch.Type != PublicChannel {
		return fail("channel_not_found")
	}
	return answer{"channel": ch.wire()}
}

func (ch *channel) wire() map[string]any {
	o := map[string]any{
		"id": ch.ID, "created": 1700000000, "is_archived": ch.Archived, "is_im": ch.Type == DirectMessage,
		"is_mpim": ch.Type == GroupMessage, "is_group": ch.Type == PrivateChannel, "is_channel": ch.Type == PublicChannel,
		"is_private": ch.Type != PublicChannel, "is_ext_shared": ch.ExtShared, "is_shared": ch.ExtShared, "is_org_shared": false,
		"context_team_id": Team, "is_member": !ch.NotMember,
	}
	if ch.Type == DirectMessage {
		o["user"] = ch.User
		return o
	}
	o["name"], o["name_normalized"] = ch.Name, ch.Name
	return o
}

func (s *Server) openConversation(c *call) answer {
	users := c.String("users")
	if id := c.String("channel"); id != "" && users == "" {
		if ch := s.state.channel(id); ch != nil {
			return answer{"channel": map[string]any{"id": ch.ID}}
		}
		return fail("channel_not_found")
	}
	if users == "" {
		return fail("users_list_not_supplied")
	}
	if strings.Contains(users, ",") {
		return answer{"channel": map[string]any{"id": Group}}
	}
	if _, ok := s.state.users[users]; !ok {
		return fail("user_not_found")
	}
	ch := s.state.channel(DirectOf(users))
	if full, _ := c.Bool("return_im"); full {
		return answer{"channel": ch.wire()}
	}
	return answer{"channel": map[string]any{"id": ch.ID}}
}

func (s *Server) userInfo(c *call) answer {
	u, ok := s.state.users[c.String("user")]
	if !ok {
		return fail("user_not_found")
	}
	o := s.userWire(u)
	if locale, _ := c.Bool("include_locale"); locale {
		o["locale"] = or(u.Locale, "en-US")
	}
	return answer{"user": o}
}

func (s *Server) userWire(u User) map[string]any {
	return map[string]any{
		"id": u.ID, "team_id": or(u.Team, Team), "name": strings.ToLower(u.Name), "real_name": u.Name, "is_bot": u.Bot, "deleted": false,
		"tz": "Europe/Berlin", "tz_offset": 3600,
		"profile": map[string]any{"real_name": u.Name, "display_name": u.Name, "team": or(u.Team, Team)},
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// wire is a message as Slack's API and events give it.
func (s *Server) wire(m *Message, withMetadata bool) map[string]any {
	o := map[string]any{"type": "message", "user": m.User, "ts": m.TS, "text": m.Text, "team": or(s.state.users[m.User].Team, Team)}
	for key, value := range map[string]string{"bot_id": m.BotID, "subtype": m.Subtype, "thread_ts": m.ThreadTS, "client_msg_id": m.ClientMsgID} {
		if value != "" {
			o[key] = value
		}
	}
	if m.BotID == Bot {
		o["app_id"] = App
	}
	if m.Edited != "" {
		o["edited"] = map[string]any{"user": m.User, "ts": m.Edited}
	}
	if withMetadata && m.Metadata != nil {
		o["metadata"] = m.Metadata
	}
	m.wireAttached(o)
	s.wireBlocks(o, m)
	s.wireThread(o, m)
	return o
}

func (m *Message) wireAttached(o map[string]any) {
	if m.file != "" {
		o["files"] = []any{map[string]any{"id": "F0FILE0001", "name": m.file, "title": m.file, "mimetype": "text/plain", "filetype": "text", "size": 12}}
		o["upload"] = true
	}
	if m.preview {
		o["attachments"] = []any{map[string]any{"id": 1, "from_url": "https://example.com/", "title": "Example", "fallback": "Example"}}
	}
}

// wireBlocks adds the blocks; what people write comes as rich text.
func (s *Server) wireBlocks(o map[string]any, m *Message) {
	switch {
	case len(m.Blocks) > 0:
		o["blocks"] = m.Blocks
	case m.BotID == "" && m.Text != "" && m.Subtype != "tombstone":
		o["blocks"] = []any{map[string]any{"type": "rich_text", "block_id": "rt001", "elements": []any{richSection(m.Text)}}}
	}
}

// wireThread adds what a root says of its replies.
func (s *Server) wireThread(o map[string]any, m *Message) {
	ch := s.state.channels[m.Channel]
	if ch == nil || len(ch.replies[m.TS]) == 0 {
		return
	}
	replies := ch.replies[m.TS]
	o["thread_ts"] = m.TS
	o["reply_count"] = len(replies)
	o["latest_reply"] = replies[len(replies)-1].TS
}

// richSection is a person's words as Slack's composer sends them.
func richSection(mrkdwn string) map[string]any {
	var runs []any
	add := func(words string) {
		if words != "" {
			runs = append(runs, map[string]any{"type": "text", "text": unescape.Replace(words)})
		}
	}
	from := 0
	for _, at := range anglePattern.FindAllStringIndex(mrkdwn, -1) {
		target, label, _ := strings.Cut(mrkdwn[at[0]+1:at[1]-1], "|")
		add(mrkdwn[from:at[0]])
		from = at[1]
		switch {
		case strings.HasPrefix(target, "@"):
			runs = append(runs, map[string]any{"type": "user", "user_id": target[1:]})
		case strings.HasPrefix(target, "http"):
			runs = append(runs, map[string]any{"type": "link", "url": target, "text": or(label, target)})
		default:
			add(mrkdwn[at[0]:at[1]])
		}
	}
	add(mrkdwn[from:])
	return map[string]any{"type": "rich_text_section", "elements": runs}
}
