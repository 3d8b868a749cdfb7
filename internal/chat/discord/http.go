package discord

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"time"
)

const (
	maxBody   = 1 << 20 // far above what Discord sends
	freshness = 5 * time.Minute
)

// Webhooks are the addresses that Discord calls when interactions come over HTTP, by path;
// nil when they do not. They check who calls by themselves: each request is signed.
func (d *Discord) Webhooks() map[string]http.Handler {
	if d.cfg.PublicKey == "" {
		return nil
	}
	return map[string]http.Handler{interactionsPath: http.HandlerFunc(d.serveInteraction)}
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

// serveInteraction lets through what Discord signed within the last five minutes. Nothing
// of a body is looked at before that. The answer is the interaction's response.
// https://discord.com/developers/docs/interactions/overview#setting-up-an-endpoint-validating-security-request-headers
func (d *Discord) serveInteraction(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		http.Error(w, "body too long", http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(w, "body cut short", http.StatusBadRequest)
		return
	}
	if err := d.verify(r.Header, body); err != nil {
		d.metrics.rejected.Inc()
		d.knocks.Do(func() {
			d.cfg.Log.Warn("a request to Discord's address was rejected: is DISCORD_PUBLIC_KEY the app's?", slog.Any("error", err))
		})
		http.Error(w, "not signed by Discord", http.StatusUnauthorized)
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "content type must be application/json", http.StatusUnsupportedMediaType)
		return
	}
	var i interaction
	if !d.decode("interaction", body, &i) {
		http.Error(w, "no interaction", http.StatusBadRequest)
		return
	}
	o := &opening{done: make(chan struct{})}
	d.openings.ContainsOrAdd(i.ID, o)
	defer time.AfterFunc(settlePause, func() { close(o.done) }) // when Discord has read it
	said := d.respond(r.Context(), i)
	if said == nil { // somebody else responds, or has
		http.Error(w, "known already", http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(said); err != nil {
		d.cfg.Log.Warn("Discord went away before it had its response", slog.Any("error", err))
	}
	d.metrics.ack.Observe(time.Since(began).Seconds())
}

// verify checks a request's signature and age. Discord tries out now and then whether a
// wrong one is rejected.
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
