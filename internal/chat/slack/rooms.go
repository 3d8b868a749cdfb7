package slack

import (
	"context"
	"slices"
	"time"

	"citebot/internal/chat"

	api "github.com/slack-go/slack"
)

// A room is what is known about a channel.
type room struct {
	shared bool // with another organisation
	until  time.Time
}

// roomFor is how long that is believed: a channel may become shared at any time, and events
// say so only when something is said there.
const roomFor = time.Minute

var public = []string{"public"}

// Audiences implements [chat.Platform]. Where people from another organisation read along,
// or where that cannot be found out, only public documents answer.
func (s *Slack) Audiences(ctx context.Context, p chat.Place, outside bool) ([]string, error) {
	audiences := s.audiences(p.Channel)
	if outside {
		return public, nil
	}
	if slices.Equal(audiences, public) || direct(p.Channel, "") { // who writes from outside is marked so in the event
		return audiences, nil
	}
	shared, err := s.isShared(ctx, p.Channel)
	if shared {
		return public, err
	}
	return audiences, err
}

// audiences are those of the configuration.
func (s *Slack) audiences(channel string) []string {
	rules := s.cfg.Rules
	of := rules.Audience
	if direct(channel, "") {
		of = rules.Direct
	}
	if c := rules.Channels[channel]; len(c.Audience) > 0 {
		of = c.Audience
	}
	if len(of) == 0 {
		return public
	}
	return of
}

// isShared asks Slack whether a channel is shared with another organisation, or about to be.
// https://docs.slack.dev/reference/objects/conversation-object
func (s *Slack) isShared(ctx context.Context, channel string) (bool, error) {
	if r, ok := s.rooms.Get(channel); ok && time.Now().Before(r.until) {
		return r.shared, nil
	}
	const method = "conversations.info"
	if err := s.held(method); err != nil {
		return true, err
	}
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	c, err := s.api.GetConversationInfoContext(ctx, &api.GetConversationInfoInput{ChannelID: channel})
	switch {
	case code(err) != "" && !isCode(err, brokenCodes): // it will not tell us: a channel we are not in, or a missing scope
		s.rooms.Add(channel, room{shared: true, until: time.Now().Add(roomFor)})
		return true, nil
	case err != nil:
		return true, s.sending(method, err)
	}
	shared := c.IsExtShared || c.IsPendingExtShared
	s.rooms.Add(channel, room{shared, time.Now().Add(roomFor)})
	return shared, nil
}

// person is who "Ask a person" calls from a channel.
func (s *Slack) person(channel string) Person {
	if c := s.cfg.Rules.Channels[channel]; c.Person.ID != "" {
		return Person{ID: c.Person.ID, Channel: s.cfg.Rules.Person.Channel}
	}
	return s.cfg.Rules.Person
}
