package qdrant

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"citebot/internal/kb"
	"citebot/internal/kb/kbtest"
	"citebot/internal/kb/qdrant/qdranttest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

// served is a store on a server of its own, with little patience.
func served(t *testing.T, options qdranttest.Options, cfg Config) (*qdranttest.Server, *Store) {
	t.Helper()
	server := qdranttest.New(t, options)
	if cfg.URL == "" {
		cfg.URL = server.URL()
	}
	s := opened(t, cfg)
	s.hurry()
	return server, s
}

// hurry makes a lease short, and a call that hangs no long wait. Each is still far above how
// long a busy machine may leave a goroutine without a turn.
func (s *Store) hurry() {
	s.times = times{
		search: 2 * time.Second, ask: 2 * time.Second, page: 2 * time.Second, write: 2 * time.Second,
		create: 5 * time.Second, look: 20 * time.Millisecond, renew: 50 * time.Millisecond, lasts: 2 * time.Second,
	}
}

var testName = CollectionName("random/1", kbtest.Dim)

func vectors(from, n int) (out []kb.Vector) {
	rng := rand.New(rand.NewPCG(uint64(from), 1))
	for i := range n {
		out = append(out, kbtest.Random(rng, kbtest.Key(from+i), "public"))
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func keysOf(t *testing.T, s *Store) []string {
	t.Helper()
	keys, err := s.Keys(t.Context())
	must(t, err)
	slices.Sort(keys)
	return keys
}

func TestWhatIsMade(t *testing.T) {
	server, s := served(t, qdranttest.Options{}, Config{Quantise: true})
	must(t, s.Put(t.Context(), []kb.Vector{{Key: "abc", Path: "returns.md", Audience: "staff", Values: vectors(1, 1)[0].Values}}))
	info := server.Info(testName)
	if info.Dim != kbtest.Dim || info.Distance != qdrant.Distance_Cosine || !info.Int8 || info.HNSW.GetM() != 16 {
		t.Errorf("made: %+v", info)
	}
	for _, field := range []string{fieldAudience, fieldPath} {
		if info.Indexes[field] != qdrant.PayloadSchemaType_Keyword {
			t.Errorf("%s is not indexed: %v", field, info.Indexes)
		}
	}
	p := server.Points(testName)[0]
	if diff := cmp.Diff(map[string]any{"hash": "abc", "path": "returns.md", "audience": "staff", "seal": seal("abc", "returns.md", "staff")}, p.Payload); diff != "" {
		t.Error(diff)
	}
	if id, err := uuid.Parse(p.ID); err != nil || id.Version() != 5 {
		t.Errorf("id %s", p.ID)
	}
}

// Trouble is told with its remedy, and within its deadline.
func TestTroubleIsExplained(t *testing.T) {
	secured := qdranttest.New(t, qdranttest.Options{TLS: true})
	open := qdranttest.New(t, qdranttest.Options{})
	locked := qdranttest.New(t, qdranttest.Options{APIKey: "right"})
	stopped := qdranttest.New(t, qdranttest.Options{})
	stopped.Stop()
	https := func(url string) string { return "https" + strings.TrimPrefix(url, "http") }
	for _, test := range []struct {
		name, url, key, want string
	}{
		{"nobody there", stopped.URL(), "", "cannot be reached (connection refused); start it, or correct QDRANT_URL"},
		{"no such host", "http://qdrant.invalid:6334", "", "its host's name leads nowhere"},
		{"silence", qdranttest.NewSilent(t), "", "no answer to"},
		{"another port", qdranttest.NewREST(t), "", "the gRPC port, 6334 unless changed, not the one of the REST API, 6333"},
		{"no key", locked.URL(), "", "it wants a key; set QDRANT_API_KEY"},
		{"wrong key", locked.URL(), "wrong-key", "it refused QDRANT_API_KEY"},
		{"no TLS there", https(open.URL()), "", "write http:// in QDRANT_URL"},
		{"TLS there", "http" + strings.TrimPrefix(secured.URL(), "https"), "", "with TLS write https:// in QDRANT_URL"},
		{"unknown authority", secured.URL(), "", "certificate is not trusted"},
		{"old", qdranttest.New(t, qdranttest.Options{Version: "1.15.4"}).URL(), "", "it is of version 1.15.4; citebot needs 1.16 or newer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := opened(t, Config{URL: test.url, APIKey: test.key})
			s.hurry()
			_, err := s.Keys(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "Qdrant at "+s.Address()) {
				t.Errorf("error: %v\nwant …%s…", err, test.want)
			}
			if test.key != "" && strings.Contains(fmt.Sprint(err), test.key) {
				t.Errorf("the key is in %v", err)
			}
		})
	}
}

func TestTrustedAuthority(t *testing.T) {
	server := qdranttest.New(t, qdranttest.Options{TLS: true})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(server.CA())
	s := opened(t, Config{URL: server.URL(), TLS: &tls.Config{RootCAs: roots}})
	must(t, s.Put(t.Context(), vectors(1, 3)))
}

func TestBadAddresses(t *testing.T) {
	for _, url := range []string{"", "127.0.0.1:6334", "ftp://a:1", "http://", "http://user:geheim@a:6334", "http://a:6334/path", "http://a:6334?key=geheim", "http://a:70000"} {
		s, err := Open(Config{URL: url})
		if err == nil {
			t.Errorf("%q was accepted", url)
			s.Close()
		} else if !strings.Contains(err.Error(), "QDRANT_URL") || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := Open(Config{URL: "http://a", Collection: "a/b"}); err == nil || !strings.Contains(err.Error(), "QDRANT_COLLECTION") {
		t.Errorf("a collection's name: %v", err)
	}
}

// A write counts when Qdrant has applied it; after anything else one puts it all again.
func TestWritesThatFail(t *testing.T) {
	for _, test := range []struct {
		name     string
		mischief qdranttest.Mischief
		n        int
		fails    bool
	}{
		{"acknowledged", qdranttest.Mischief{Status: qdrant.UpdateStatus_Acknowledged}, 1, true},
		{"wait timeout", qdranttest.Mischief{Status: qdrant.UpdateStatus_WaitTimeout, Done: true}, 1, true},
		{"clock rejected", qdranttest.Mischief{Status: qdrant.UpdateStatus_ClockRejected}, 1, true},
		{"connection lost once before", qdranttest.Mischief{DieBefore: true}, 1, false},
		{"connection lost once after", qdranttest.Mischief{DieAfter: true}, 1, false},
		{"connection lost twice, half done", qdranttest.Mischief{DieMidBatch: true}, 2, true},
		{"unavailable once", qdranttest.Mischief{Code: codes.Unavailable, Message: "busy"}, 1, false},
		{"internal", qdranttest.Mischief{Code: codes.Internal, Message: "no space left on device"}, 1, true},
		{"hangs", qdranttest.Mischief{Hang: true}, 1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server, s := served(t, qdranttest.Options{}, Config{})
			s.times.renew, s.times.lasts = usualTimes.renew, time.Hour // what goes wrong is no renewal of the lease
			must(t, s.Put(t.Context(), vectors(1000, 1)))              // all is prepared
			test.mischief.Method = qdranttest.Upsert
			server.Misbehave(test.n, test.mischief)
			if err := s.Put(t.Context(), vectors(0, 40)); (err != nil) != test.fails {
				t.Fatalf("error: %v", err)
			}
			if test.fails {
				must(t, s.Put(t.Context(), vectors(0, 40)))
			}
			if n := len(keysOf(t, s)); n != 41 {
				t.Errorf("%d points, want 41", n)
			}
			if wrong := server.Complaints(); len(wrong) > 0 {
				t.Errorf("rules broken: %q", wrong)
			}
		})
	}
}

// A server that wants fewer calls gets none for as long as it says.
func TestRateLimit(t *testing.T) {
	server, s := served(t, qdranttest.Options{}, Config{})
	must(t, s.Put(t.Context(), vectors(0, 3)))
	server.Misbehave(1, qdranttest.Mischief{Method: qdranttest.Query, Code: codes.ResourceExhausted, Message: "Rate limiting exceeded", RetryAfter: 30})
	for range 3 {
		if _, err := s.Search(t.Context(), vectors(0, 1)[0].Values, []string{"public"}, 1); err == nil || !strings.Contains(err.Error(), "rate limit") {
			t.Errorf("error: %v", err)
		}
	}
	if n := server.Calls(qdranttest.Query); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// A caller that gives up is told that it did, and not that Qdrant failed.
func TestCallerGivesUp(t *testing.T) {
	server, s := served(t, qdranttest.Options{}, Config{})
	must(t, s.Put(t.Context(), vectors(0, 3)))
	server.Freeze()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := s.Search(ctx, vectors(0, 1)[0].Values, []string{"public"}, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	server.Thaw()
}

// What was changed behind our back is seen: points that are none of ours have keys that
// nobody wants, and can be deleted by them.
func TestStrangers(t *testing.T) {
	server, s := served(t, qdranttest.Options{}, Config{})
	must(t, s.Put(t.Context(), vectors(0, 6)))
	server.Forget(testName, 1)
	server.Strip(testName, 1)
	values := vectors(9, 1)[0].Values
	server.Insert(testName, "42", map[string]any{"audience": "public"}, values)
	server.Insert(testName, uuid.NewString(), map[string]any{"audience": "public", "hash": kbtest.Key(0)}, values)
	keys := keysOf(t, s)
	var ours, strange []string
	for _, key := range keys {
		if isStranger(key) {
			strange = append(strange, key)
		} else {
			ours = append(ours, key)
		}
	}
	if len(ours) != 4 || len(strange) != 3 {
		t.Fatalf("ours %q, strange %q", ours, strange)
	}
	hits, err := s.Search(t.Context(), values, []string{"public"}, 10)
	must(t, err)
	for _, hit := range hits {
		if !slices.Contains(keys, hit.Key) {
			t.Errorf("found %v", hit)
		}
	}
	must(t, s.Delete(t.Context(), strange))
	if left := keysOf(t, s); !slices.Equal(left, ours) {
		t.Errorf("left %q", left)
	}
}

// A point of ours whose payload was changed is listed as a stranger, and what is put takes its
// place.
func TestChangedPayloads(t *testing.T) {
	for _, test := range []struct{ field, value string }{
		{"audience", "nobody"}, {"path", "elsewhere.md"}, {"hash", "x"}, {"seal", ""}, {"seal", seal(kbtest.Key(1), "returns.md", "public")},
	} {
		t.Run(test.field, func(t *testing.T) {
			server, s := served(t, qdranttest.Options{}, Config{})
			v := vectors(0, 1)
			must(t, s.Put(t.Context(), v))
			payload := server.Points(testName)[0].Payload
			payload[test.field] = test.value
			server.Insert(testName, pointID(v[0].Key), payload, v[0].Values)
			keys := keysOf(t, s)
			if len(keys) != 1 || !isStranger(keys[0]) {
				t.Errorf("keys %q", keys)
			}
			hits, err := s.Search(t.Context(), v[0].Values, []string{payload["audience"].(string)}, 1)
			must(t, err)
			if len(hits) != 1 || isStranger(hits[0].Key) != (test.field == "hash") {
				t.Errorf("until it is mended a search finds %v", hits)
			}
			must(t, s.Delete(t.Context(), keys))
			must(t, s.Put(t.Context(), v))
			if keys := keysOf(t, s); !slices.Equal(keys, []string{v[0].Key}) {
				t.Errorf("keys %q after it was put again", keys)
			}
		})
	}
}

// A collection that is deleted is made again.
func TestCollectionIsDropped(t *testing.T) {
	server, s := served(t, qdranttest.Options{}, Config{})
	must(t, s.Put(t.Context(), vectors(0, 6)))
	server.Drop(testName)
	server.Drop(leaseOf(testName))
	if _, err := s.Search(t.Context(), vectors(0, 1)[0].Values, []string{"public"}, 1); err == nil {
		t.Error("a search in nothing found nothing")
	}
	if keys := keysOf(t, s); len(keys) > 0 {
		t.Errorf("keys %q", keys)
	}
	must(t, s.Put(t.Context(), vectors(0, 6)))
	if n := len(server.Points(testName)); n != 6 {
		t.Errorf("%d points", n)
	}
}

// A write that finds the collection gone fails, and the next one makes it; the lease's, too.
func TestDroppedBetweenWrites(t *testing.T) {
	server, s := served(t, qdranttest.Options{}, Config{})
	must(t, s.Put(t.Context(), vectors(0, 2)))
	server.Drop(testName)
	if err := s.Put(t.Context(), vectors(0, 2)); err == nil {
		t.Error("put into nothing")
	}
	must(t, s.Put(t.Context(), vectors(0, 2)))
	server.Drop(leaseOf(testName))
	expire(s)
	_ = s.Put(t.Context(), vectors(0, 2)) // whatever becomes of it
	must(t, s.Put(t.Context(), vectors(0, 2)))
}

// A key that comes back in an error, from the server or what stands before it, is left out.
func TestKeyInAnError(t *testing.T) {
	server, s := served(t, qdranttest.Options{}, Config{APIKey: "sk-canary"})
	for _, m := range []qdranttest.Mischief{
		{Method: qdranttest.GetCollection, Code: codes.Internal, Message: "proxy: bad api-key sk-canary"},
		{Method: qdranttest.GetCollection, Code: codes.ResourceExhausted, Message: "too much of sk-canary", RetryAfter: 30},
	} {
		server.Misbehave(1, m)
		if _, err := s.Keys(t.Context()); err == nil || strings.Contains(err.Error(), "sk-canary") || !strings.Contains(err.Error(), "…") {
			t.Errorf("error: %v", err)
		}
	}
}

// A search of a collection that nobody has looked at yet looks at it, within its own deadline.
func TestSearchPreparesInTime(t *testing.T) {
	server, s := served(t, qdranttest.Options{}, Config{})
	s.times.create = time.Hour
	server.Misbehave(-1, qdranttest.Mischief{Method: qdranttest.CreateFieldIndex, Hang: true})
	if _, err := s.Search(t.Context(), vectors(0, 1)[0].Values, []string{"public"}, 1); err == nil || !strings.Contains(err.Error(), "no answer to") {
		t.Errorf("error: %v", err)
	}
	for _, call := range server.Log() {
		if call.Timeout > s.times.search {
			t.Errorf("%s may take %v", call.Method, call.Timeout)
		}
	}
}

func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("there is no IPv6 here")
	}
	must(t, l.Close())
	server := qdranttest.New(t, qdranttest.Options{Addr: "[::1]:0"})
	s := opened(t, Config{URL: server.URL()})
	must(t, s.Put(t.Context(), vectors(0, 1)))
	if s.Address() != server.Addr() {
		t.Errorf("it calls itself %s, at %s", s.Address(), server.Addr())
	}
}

// A library whose vectors are made of words.
func library(t *testing.T, s *Store, text string) *kb.Library {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a.md"), []byte(text), 0o644))
	lib, err := kb.Open(t.Context(), kb.Config{
		Docs: dir, State: t.TempDir(), Embedder: words{}, Vectors: s, Settle: time.Millisecond,
		Accepts: func(string) bool { return true },
		Parse: func(_ context.Context, path string, data []byte) (kb.Document, error) {
			return kb.Document{Path: path, Title: path, Blocks: []kb.Block{{Kind: kb.Paragraph, Text: string(data), Lines: kb.Lines{1, 1}}}}, nil
		},
	})
	must(t, err)
	t.Cleanup(func() { must(t, lib.Close()) })
	must(t, lib.Sync(t.Context(), nil))
	return lib
}

type words struct{}

func (words) ID() string { return "random/1" }
func (words) Dim() int   { return kbtest.Dim }

func (w words) EmbedPassages(ctx context.Context, texts []string) (out [][]float32, err error) {
	for _, text := range texts {
		v, _ := w.EmbedQuery(ctx, text)
		out = append(out, v)
	}
	return out, nil
}

func (words) EmbedQuery(_ context.Context, text string) ([]float32, error) {
	v := make([]float32, kbtest.Dim)
	for _, w := range strings.Fields(text) {
		h := fnv.New32a()
		_, _ = h.Write([]byte(w))
		v[h.Sum32()%kbtest.Dim] = 1
	}
	return v, nil
}

// Strangers that are nearer than what is ours hide it from no library, which has to know of
// them to ask for more.
func TestStrangersCrowdNobodyOut(t *testing.T) {
	server, s := served(t, qdranttest.Options{}, Config{})
	lib := library(t, s, "refund within thirty days of the order")
	query, _ := words{}.EmbedQuery(t.Context(), "money back")
	for range 120 {
		server.Insert(testName, uuid.NewString(), map[string]any{"audience": "public", "hash": "x"}, query)
	}
	found, err := lib.Search(t.Context(), kb.Query{Text: "money back", Audiences: []string{"public"}})
	must(t, err)
	if len(found.Hits) != 1 || len(found.Degraded) > 0 {
		t.Errorf("%d hits, degraded %q", len(found.Hits), found.Degraded)
	}
}
