package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"citebot/internal/chat"
	"citebot/internal/chat/discord"
	"citebot/internal/chat/slack"
	"citebot/internal/chat/web"
	"citebot/internal/kb"
	"citebot/internal/ledger"

	"golang.org/x/sync/errgroup"
)

func ledgerFile(state string) string { return filepath.Join(state, "ledger.db") }

// A talk is the bot on chat platforms: what it remembers, what answers, where it speaks.
type talk struct {
	ledger   *ledger.Ledger
	proof    *proof // that the ledger can be written
	desk     *chat.Desk
	surfaces []surface // those that are on
}

// A surface is one chat platform, as the desk and the web need it.
type surface interface {
	chat.Platform
	Run(ctx context.Context) error           // until ctx ends
	Close()                                  // after Run and the desk have ended
	Ready() (connected bool, problem string) // whether questions reach the bot
	Webhooks() map[string]http.Handler       // addresses that the platform calls, by path
}

// openTalk opens the ledger, and makes the platforms that are configured. The caller
// closes it.
func openTalk(ctx context.Context, cfg config, p *pipeline, log *slog.Logger) (*talk, error) {
	l, err := ledger.Open(ctx, ledgerFile(cfg.State))
	if err != nil {
		return nil, err
	}
	if moved := l.Damaged(); moved != "" {
		log.Error("the ledger was damaged and is begun anew; what was asked before is forgotten", slog.String("moved_to", moved))
	}
	t := &talk{ledger: l, proof: newProof(l.Healthy)}
	t.desk, err = chat.NewDesk(chat.DeskConfig{
		Ledger:   l,
		Answer:   p.answer,
		Limits:   map[string]chat.Limits{"slack": cfg.Slack.Limits.perMinute(), "discord": cfg.Discord.Limits.perMinute()},
		Asked:    p.observed.asked,
		Registry: p.observed.registry,
		Log:      log,
	})
	if err == nil && cfg.slackOn() {
		s, slackErr := slack.New(slack.Config{
			BotToken: cfg.Slack.BotToken, AppToken: cfg.Slack.AppToken, SigningSecret: cfg.Slack.SigningSecret, APIURL: cfg.Slack.APIURL,
			Rules:    cfg.slackRules(),
			Home:     func() slack.Home { return slackHome(cfg, p) },
			Registry: p.observed.registry,
			Log:      log,
		}, t.desk)
		t.surfaces, err = append(t.surfaces, s), slackErr
	}
	if err == nil && cfg.discordOn() {
		d, discordErr := discord.New(discord.Config{
			Token: cfg.Discord.Token, PublicKey: cfg.Discord.PublicKey, APIURL: cfg.Discord.APIURL, Shards: cfg.Discord.Shards,
			Rules:    cfg.discordRules(),
			Library:  discordLibrary(p),
			Registry: p.observed.registry,
			Log:      log,
		}, t.desk)
		t.surfaces, err = append(t.surfaces, d), discordErr
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return t, nil
}

// run talks until ctx ends.
func (t *talk) run(ctx context.Context) error {
	if len(t.surfaces) == 0 {
		<-ctx.Done()
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	var platforms []chat.Platform
	for _, s := range t.surfaces {
		defer s.Close()
		platforms = append(platforms, s)
		group.Go(func() error { return s.Run(ctx) })
	}
	group.Go(func() error { return t.desk.Run(ctx, platforms...) })
	return group.Wait()
}

// Close releases the ledger.
func (t *talk) Close() error {
	t.proof.wait()
	return t.ledger.Close()
}

// webhooks are the web addresses that platforms call.
func (t *talk) webhooks() map[string]http.Handler {
	all := map[string]http.Handler{}
	for _, s := range t.surfaces {
		maps.Copy(all, s.Webhooks())
	}
	return all
}

// parts tell how the ledger and the platforms are, and whether the bot is ready as far as
// they are concerned: the ledger can be written and, where there are platforms, one of
// them is connected.
func (t *talk) parts(writable error) (parts map[string]web.Part, ready bool) {
	parts = map[string]web.Part{"ledger": t.ledgerPart(writable), "slack": {State: web.StateOff}, "discord": {State: web.StateOff}}
	reached := len(t.surfaces) == 0
	for _, s := range t.surfaces {
		connected, problem := s.Ready()
		parts[s.Name()] = platformPart(connected, problem)
		reached = reached || connected
	}
	return parts, reached && parts["ledger"].State != web.StateFailed
}

func platformPart(connected bool, problem string) web.Part {
	switch {
	case !connected:
		return web.Part{State: web.StateFailed, Problem: cmp.Or(problem, "not connected")}
	case problem != "":
		return web.Part{State: web.StateDegraded, Problem: problem}
	}
	return web.Part{State: web.StateOK}
}

func (t *talk) ledgerPart(writable error) web.Part {
	switch moved := t.ledger.Damaged(); {
	case writable != nil:
		return web.Part{State: web.StateFailed, Problem: writable.Error()}
	case moved != "":
		return web.Part{State: web.StateDegraded, Problem: fmt.Sprintf("the ledger was damaged and begun anew; the old one is %s in the state folder", filepath.Base(moved))}
	}
	return web.Part{State: web.StateOK}
}

// slackHome is what the app's home tells: the documents that direct messages are answered
// from, for those are what everyone who opens it may ask about.
func slackHome(cfg config, p *pipeline) slack.Home {
	audience := cfg.slackRules().Direct
	if len(audience) == 0 {
		audience = []string{"public"}
	}
	outlines := p.library.Outlines(audience)
	home := slack.Home{
		Questions: suggestions(outlines, cfg.Language),
		Audience:  audience,
		Persons:   cfg.Slack.Person != "",
	}
	slices.SortStableFunc(outlines, func(a, b kb.Outline) int { return strings.Compare(b.Updated, a.Updated) })
	for _, o := range outlines {
		home.Documents = append(home.Documents, slack.Document{Title: o.Title, Updated: o.Updated, URL: p.answerer.SourceURL(o.First)})
	}
	return home
}

// perMinute are the limits as the desk has them.
func (l askLimits) perMinute() chat.Limits {
	return chat.Limits{PerPerson: l.Person, PerChannel: l.Channel}
}
