package llm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// A sameStream answers every request with the same stream.
type sameStream []byte

func (s sameStream) RoundTrip(request *http.Request) (*http.Response, error) {
	_, err := io.Copy(io.Discard, request.Body)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Request: request,
		Body: io.NopCloser(bytes.NewReader(s)),
	}, errors.Join(err, request.Body.Close())
}

// Whatever a stream holds is a reply or an error of the vocabulary.
func FuzzStream(f *testing.F) {
	for _, seed := range []string{
		"", "data: [DONE]\n\n", "data: {}\n\n", "event: error\n\n", "event: error\ndata: {\"type\":\"error\",\"error\":5}\n\n", "data: {\"error\":null}\n\n",
		"data: {\"choices\":[{\"delta\":{\"content\":\"a\xff\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
		"data: {\"choices\":[{\"delta\":{\"content\":5},\"finish_reason\":7}],\"usage\":{\"prompt_tokens\":-5,\"completion_tokens\":9e18}}\n\n",
		"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":1}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\n",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, stream []byte, other bool) {
		cfg := Config{Provider: OpenAI, BaseURL: "http://model.test/v1", Key: secret, Model: "m"}
		if other {
			cfg.Provider = Anthropic
		}
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		c.next = sameStream(stream)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		w := &writing{}
		err = c.attempt(ctx, asked, w)
		var e *Error
		switch {
		case err == nil && (strings.TrimSpace(w.text.String()) == "" || w.end == endNone):
			t.Error("no reply and no error")
		case err != nil && (!errors.As(err, &e) || utf8.RuneCountInString(e.Detail) > maxDetail || strings.Contains(err.Error(), "\n") || !utf8.ValidString(err.Error())):
			t.Errorf("error: %v", err)
		case !utf8.ValidString(w.text.String()) || w.usage.Input < 0 || w.usage.Output < 0:
			t.Errorf("%q, %+v", w.text.String(), w.usage)
		}
	})
}
