package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"citebot/internal/chat/web"
)

// A healthCmd asks the daemon of the state folder how it is, for supervisors that can run
// a command and cannot send a request: an image without a shell has nothing else to ask with.
type healthCmd struct {
	Ready bool `help:"Ask whether it answers questions, not just whether it runs."`
}

// healthWithin is less than supervisors give the command in deploy/, so that they hear why.
const healthWithin = 4 * time.Second

// Run prints one line, and fails unless all is well.
func (h healthCmd) Run(ctx context.Context, b *bot) error {
	cfg, err := b.config()
	d, unread := readDaemon(cfg.State)
	if unread != nil {
		// A configuration that was broken since the daemon started does not make it sick, but
		// may be why there is none here.
		return errors.Join(fmt.Errorf("no bot runs on the state folder %s; start it, or name its folder with BOT_STATE or --state", cfg.State), err)
	}
	ctx, cancel := context.WithTimeout(ctx, healthWithin)
	defer cancel()
	if h.Ready {
		return d.sayReady(ctx, b.say)
	}
	status, _, err := d.get(ctx, "/livez")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("the bot at %s runs and answers %d %s", d.URL, status, http.StatusText(status))
	}
	b.say.line("the bot at %s runs", d.URL)
	return nil
}

// sayReady prints that the daemon is ready and which parts are not as they should be. An
// error says that it is not, and why.
func (d daemon) sayReady(ctx context.Context, say *terminal) error {
	status, body, err := d.get(ctx, "/readyz")
	if err != nil {
		return err
	}
	var now web.Readiness
	if err := json.Unmarshal(body, &now); err != nil {
		return fmt.Errorf("the bot at %s answers %d %s, and not how it is", d.URL, status, http.StatusText(status))
	}
	troubles := strings.Join(partTroubles(now.Parts), "; ")
	switch {
	case status != http.StatusOK:
		return fmt.Errorf("the bot at %s is not ready: %s", d.URL, troubles)
	case troubles != "":
		say.line("the bot at %s is ready; %s", d.URL, troubles)
	default:
		say.line("the bot at %s is ready", d.URL)
	}
	return nil
}

// partTroubles names the parts that are on and not well, sorted.
func partTroubles(parts map[string]web.Part) (troubles []string) {
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		p := parts[name]
		switch {
		case p.State == web.StateOK || p.State == web.StateOff:
		case p.Problem == "":
			troubles = append(troubles, fmt.Sprintf("%s is %s", name, p.State))
		default:
			troubles = append(troubles, fmt.Sprintf("%s is %s: %s", name, p.State, p.Problem))
		}
	}
	return troubles
}

// get asks the daemon for a page. The way to it leads through no proxy.
func (d daemon) get(ctx context.Context, page string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL+page, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("daemon.json names no web address: %w; restart the bot", err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("process %d does not answer: %w; look into its log", d.PID, err)
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, body, err
}
