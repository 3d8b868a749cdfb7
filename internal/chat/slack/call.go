package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	api "github.com/slack-go/slack"
)

// maxAnswer is far above a page of messages.
const maxAnswer = 16 << 20

// call is a call of the Web API of which only some of the answer is wanted. Its errors are
// those of the client library. https://docs.slack.dev/apis/web-api
func (s *Slack) call(ctx context.Context, method string, values url.Values, v any) error {
	address := cmp.Or(s.cfg.APIURL, api.APIURL) + method
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(values.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+s.cfg.BotToken)
	res, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusTooManyRequests:
		seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
		if err != nil {
			seconds = 1
		}
		return &api.RateLimitedError{RetryAfter: time.Duration(seconds) * time.Second}
	case res.StatusCode != http.StatusOK:
		return api.StatusCodeError{Code: res.StatusCode, Status: res.Status}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return err
	}
	var refused struct {
		OK     bool   `json:"ok"`
		Error  string `json:"error"`
		Needed string `json:"needed"`
	}
	if err := json.Unmarshal(body, &refused); err != nil {
		return err
	}
	if !refused.OK {
		return api.SlackErrorResponse{Err: cmp.Or(refused.Error, "unnamed error"), Needed: refused.Needed}
	}
	return json.Unmarshal(body, v)
}
