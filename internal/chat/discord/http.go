package discord

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"citebot/internal/chat/surface"

	api "github.com/bwmarrin/discordgo"
)

// freshness is how old a request may be, or how far its clock ahead.
const freshness = 5 * time.Minute

// Webhooks are the addresses that Discord calls when interactions come over HTTP, by path;
// nil when they do not. They check who calls by themselves: each request is signed.
func (d *Discord) Webhooks() map[string]http.Handler {
	if d.cfg.PublicKey == "" {
		return nil
	}
	return map[string]http.Handler{interactionsPath: surface.Webhook{
		ContentType: "application/json", Verify: d.verify, Take: d.takeRequest,
		Hint: "is DISCORD_PUBLIC_KEY the app's?", Metrics: d.metrics, Log: d.cfg.Log,
	}.Handler()}
}

// publicKey is the application's; nil where interactions come over the gateway.
func (c Config) publicKey() (ed25519.PublicKey, error) {
	if c.PublicKey == "" {
		return nil, nil
	}
	key, err := hex.DecodeString(c.PublicKey)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, errors.New("DISCORD_PUBLIC_KEY is no public key: it has 64 hexadecimal digits, and stands under General Information of the app")
	}
	return key, nil
}

// takeRequest deals with an interaction. The answer is its response.
func (d *Discord) takeRequest(ctx context.Context, body []byte) (answer any, status int) {
	var i interaction
	if !d.decode("interaction", body, &i) {
		return nil, http.StatusBadRequest
	}
	if i.Type == api.InteractionPing {
		return response{Type: api.InteractionResponsePong}, http.StatusOK
	}
	o := &opening{done: make(chan struct{})}
	if again, _ := d.openings.ContainsOrAdd(i.ID, o); again {
		return nil, http.StatusConflict
	}
	defer time.AfterFunc(settlePause, func() { close(o.done) }) // when Discord has read it
	r := d.respond(ctx, i)
	if r == nil { // it came before, and has had its response
		return nil, http.StatusConflict
	}
	return r, http.StatusOK
}

// verify checks a request's signature and age. Discord tries out now and then whether a
// wrong one is rejected.
// https://discord.com/developers/docs/interactions/overview#setting-up-an-endpoint-validating-security-request-headers
func (d *Discord) verify(h http.Header, body []byte) error {
	stamp := h.Get("X-Signature-Timestamp")
	signed, err := hex.DecodeString(h.Get("X-Signature-Ed25519"))
	if err != nil || len(signed) != ed25519.SignatureSize {
		return errors.New("no signature")
	}
	key, err := d.cfg.publicKey()
	if err != nil {
		return err
	}
	if !ed25519.Verify(key, append([]byte(stamp), body...), signed) {
		return errors.New("the signature does not hold")
	}
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errors.New("the timestamp is none")
	}
	if age := time.Since(time.Unix(at, 0)); age.Abs() > freshness {
		return fmt.Errorf("it is %v old", age.Round(time.Second))
	}
	return nil
}
