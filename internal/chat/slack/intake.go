package slack

import (
	"context"
	"encoding/json"
	"log/slog"

	"citebot/internal/chat/surface"
)

// The kinds of envelope.
const (
	kindEvent       = "events_api"
	kindInteraction = "interactive"
	kindCommand     = "slash_commands"
)

// take deals with a payload of either transport: when it returns without an error, what is
// to be done is in the ledger. response is what the acknowledgement says, nil for nothing.
// A payload that cannot be read wants no redelivery and is no error; an error means that
// the ledger could not be written.
func (s *Slack) take(ctx context.Context, kind string, payload []byte) (response any, err error) {
	defer surface.Rescue(s.cfg.Log, kind)
	ctx, cancel := context.WithTimeout(ctx, acceptWithin)
	defer cancel()
	switch kind {
	case kindEvent:
		var e envelope
		if s.decode(kind, payload, &e) {
			err = s.event(ctx, e)
		}
	case kindInteraction:
		var i interaction
		if s.decode(kind, payload, &i) {
			err = s.interact(ctx, i)
		}
	case kindCommand:
		var c command
		if s.decode(kind, payload, &c) {
			return s.command(ctx, c)
		}
	default:
		s.cfg.Log.Debug("an envelope of an unknown kind", slog.String("kind", kind))
	}
	return nil, err
}

// decode reads a payload. Unknown fields and kinds are no failure; a field of another type
// than ours is.
func (s *Slack) decode(kind string, payload []byte, v any) bool {
	err := json.Unmarshal(payload, v)
	if err != nil {
		s.cfg.Log.Warn("a payload from Slack could not be read", slog.String("kind", kind), slog.Any("error", err))
	}
	return err == nil
}
