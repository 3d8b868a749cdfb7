package web

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// Links makes the addresses of sources that answers carry. Where a token guards the web
// address they are signed, so that whoever sees an answer can open what it cites and
// nothing else.
type Links struct {
	base   string // without a final slash
	origin string // scheme, host and port of base
	host   string // host of base
	keys   keys   // empty: not signed
}

// NewLinks takes the web address, its public URL ("": http:// and addr) and the token that
// guards it. A token guards every address that other machines reach: one that is not
// loopback, and a loopback one behind a proxy, whose public URL is not.
func NewLinks(addr, publicURL, token string) (Links, error) {
	if token == "" && !loopbackAddr(addr) {
		return Links{}, errNoToken(addr)
	}
	l := Links{base: "http://" + reachable(addr)}
	if publicURL != "" {
		l.base = strings.TrimRight(publicURL, "/")
	}
	u, err := url.Parse(l.base)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !isWeb(l.base) {
		return Links{}, fmt.Errorf("BOT_PUBLIC_URL %q is no address of a website: write it like https://bot.example.com", publicURL)
	}
	l.host, l.origin = u.Hostname(), u.Scheme+"://"+u.Host
	if !loopbackAddr(addr) || token != "" && !loopbackName(l.host) {
		l.keys, err = deriveKeys(token)
	}
	return l, err
}

// URL returns where the source viewer shows the passage version with that hash.
func (l Links) URL(hash string) string { return l.base + "/" + l.path(hash) }

// path is URL below the base, for links between our own pages.
func (l Links) path(hash string) string {
	p := "s/" + url.PathEscape(hash)
	if l.keys.needed() {
		p += "?sig=" + l.keys.sign(l.keys.link, hash)
	}
	return p
}

func errNoToken(addr string) error {
	return fmt.Errorf("web address %s can be reached from other machines: set BOT_TOKEN to a long random secret "+
		"(openssl rand -hex 32), or BOT_HTTP to a loopback address like 127.0.0.1:8080", addr)
}

// reachable turns a listening address into one a browser on this machine can open.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

func loopbackAddr(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && loopbackName(host)
}

func loopbackName(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// isWeb reports whether an address may become a link: http and https only, so that no
// document can make one of javascript: or data:.
func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// keys are derived from the token, one for each purpose, so that what signs a link that
// anybody may see never opens a session.
type keys struct {
	token   [sha256.Size]byte // digest of the token, to compare without showing its length
	link    []byte
	session []byte
}

func deriveKeys(token string) (k keys, err error) {
	k.token = sha256.Sum256([]byte(token))
	if k.link, err = hkdf.Key(sha256.New, []byte(token), nil, "citebot source link", sha256.Size); err != nil {
		return keys{}, err
	}
	k.session, err = hkdf.Key(sha256.New, []byte(token), nil, "citebot session", sha256.Size)
	return k, err
}

func (k keys) needed() bool { return k.link != nil }

func (k keys) isToken(given string) bool {
	sum := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(sum[:], k.token[:]) == 1
}

func (k keys) sign(key []byte, text string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func (k keys) signed(key []byte, text, sig string) bool {
	return hmac.Equal([]byte(k.sign(key, text)), []byte(sig))
}
