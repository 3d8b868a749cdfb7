package qdrant

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"citebot/internal/kb"
	"citebot/internal/kb/kbtest"
	"citebot/internal/kb/qdrant/qdranttest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

// examined are the findings about a server, a line each, with HOST for its address. To
// examine changes nothing, and no call is without a deadline.
func examined(t *testing.T, server *qdranttest.Server, cfg Config) string {
	t.Helper()
	before, calls := everything(server), len(server.Log())
	var lines []string
	for _, f := range Examine(t.Context(), cfg) {
		line := f.State + " " + f.What + ": " + f.Detail
		if f.Remedy != "" {
			line += " → " + f.Remedy
		}
		if (f.State == StateOK) != (f.Remedy == "") {
			t.Errorf("what is to be done? %s", line)
		}
		lines = append(lines, strings.ReplaceAll(line, server.Addr(), "HOST"))
	}
	if diff := cmp.Diff(before, everything(server)); diff != "" {
		t.Errorf("it changed something:\n%s", diff)
	}
	for _, c := range server.Log()[calls:] {
		if !slices.Contains(reads, c.Method) || c.Timeout <= 0 || c.Timeout > examineWithin {
			t.Errorf("called %s, with a deadline of %v", c.Method, c.Timeout)
		}
	}
	found := strings.Join(lines, "\n")
	if cfg.APIKey != "" && strings.Contains(found, cfg.APIKey) {
		t.Errorf("the key is in:\n%s", found)
	}
	return found
}

// reads are the calls that change nothing.
var reads = []string{qdranttest.HealthCheck, qdranttest.ListCollections, qdranttest.GetCollection, qdranttest.Get, qdranttest.Scroll}

// everything is all that a server holds.
func everything(server *qdranttest.Server) map[string]any {
	all := map[string]any{}
	for _, name := range server.Collections() {
		info := server.Info(name)
		all[name] = []any{server.Points(name), info.Metadata, info.Indexes, info.Int8}
	}
	return all
}

// puts lets a bot of some name put n vectors, and not give the lease back.
func puts(t *testing.T, cfg Config, n int) *Store {
	t.Helper()
	s := opened(t, cfg)
	must(t, s.Put(t.Context(), someVectors(s.cfg.Dim, n)))
	return s
}

func someVectors(dim, n int) (out []kb.Vector) {
	for i := range n {
		v := kb.Vector{Key: kbtest.Key(i), Path: "a.md", Audience: "public", Values: make([]float32, dim)}
		v.Values[i%dim] = 1
		out = append(out, v)
	}
	return out
}

// readingKey is a token whose claims are {"access":"r"}.
var readingKey = "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"access":"r"}`)) + ".hush"

func TestExamine(t *testing.T) {
	const serves, open = "ok Qdrant server: version 1.18.2 at HOST\n", "ok Qdrant key: none is wanted\n"
	for _, test := range []struct {
		name    string
		options qdranttest.Options
		before  func(*testing.T, *qdranttest.Server, *Config)
		want    string
	}{
		{"new", qdranttest.Options{}, nil, serves + open + `
ok Qdrant collection: citebot_random-1_64 is not there yet; the bot makes it
ok Qdrant writer: nobody; the next bot that starts writes`},
		{"in use", qdranttest.Options{APIKey: "hush"}, func(t *testing.T, _ *qdranttest.Server, cfg *Config) {
			cfg.APIKey, cfg.Holder, cfg.Quantise = "hush", "office", true
			cfg.Registry = prometheus.NewRegistry()
			puts(t, *cfg, 3)
		}, serves + `
ok Qdrant key: QDRANT_API_KEY is accepted
ok Qdrant collection: citebot_random-1_64 holds 3 points of 64 values of random/1, quantised to int8
ok Qdrant writer: this bot, office`},
		{"in use by another", qdranttest.Options{}, func(t *testing.T, _ *qdranttest.Server, cfg *Config) {
			cfg.Holder = "elsewhere"
			puts(t, *cfg, 1)
			cfg.Holder, cfg.Quantise = "office", true
		}, serves + open + `
ok Qdrant collection: citebot_random-1_64 holds 1 point of 64 values of random/1, not quantised yet; the bot sees to it
ok Qdrant writer: another bot, elsewhere; should it be gone, the next one takes over after 15s`},
		{"no longer quantised", qdranttest.Options{}, func(t *testing.T, _ *qdranttest.Server, cfg *Config) {
			cfg.Holder, cfg.Quantise = "office", true
			puts(t, *cfg, 1)
			cfg.Quantise = false
		}, serves + open + `
ok Qdrant collection: citebot_random-1_64 holds 1 point of 64 values of random/1, quantised to int8, which the bot will end
ok Qdrant writer: this bot, office`},
		{"other models", qdranttest.Options{}, func(t *testing.T, server *qdranttest.Server, cfg *Config) {
			cfg.Collection = "support"
			puts(t, Config{URL: cfg.URL, Model: "old/1", Dim: 8}, 2)
			puts(t, Config{URL: cfg.URL, Model: "old/2", Dim: 8, Collection: "support"}, 1)
			puts(t, Config{URL: cfg.URL, Model: "old/3", Dim: 8, Collection: "support_x"}, 1)
			puts(t, Config{URL: cfg.URL, Model: "old/4", Dim: 8, Collection: "supporters"}, 1)
			puts(t, Config{URL: cfg.URL, Model: "random/1", Dim: 64}, 1) // of a bot that names none
			server.Recreate("citebot_of_others", 8, qdrant.Distance_Dot)
			server.Drop("support_x_lease")
		}, serves + open + `
ok Qdrant collection: support_random-1_64 is not there yet; the bot makes it
ok Qdrant writer: nobody; the next bot that starts writes
warn Qdrant collection: citebot_old-1_8, 2 points of old/1, is no longer used by this bot → delete citebot_old-1_8 and citebot_old-1_8_lease when no other bot uses it
warn Qdrant collection: support, 1 point of old/2, is no longer used by this bot → delete support and support_lease when no other bot uses it
warn Qdrant collection: support_x, 1 point of old/3, is no longer used by this bot → delete support_x when no other bot uses it`},
		{"both names taken", qdranttest.Options{}, func(t *testing.T, _ *qdranttest.Server, cfg *Config) {
			cfg.Collection = "support"
			puts(t, Config{URL: cfg.URL, Model: "old/1", Dim: 8, Collection: "support"}, 1)
			puts(t, Config{URL: cfg.URL, Model: "old/1", Dim: 8, Collection: "support_random-1_64"}, 1)
		}, serves + open + `
problem Qdrant collection: collections support and support_random-1_64 hold vectors of other models → name another with QDRANT_COLLECTION
warn Qdrant collection: support, 1 point of old/1, is no longer used by this bot → delete support and support_lease when no other bot uses it
warn Qdrant collection: support_random-1_64, 1 point of old/1, is no longer used by this bot → delete support_random-1_64 and support_random-1_64_lease when no other bot uses it`},
		{"empty collection", qdranttest.Options{}, func(_ *testing.T, server *qdranttest.Server, cfg *Config) {
			cfg.Collection = "support"
			server.Recreate("support", 64, qdrant.Distance_Cosine)
		}, serves + open + `
ok Qdrant collection: support is empty; the bot takes it
ok Qdrant writer: nobody; the next bot that starts writes`},
		{"another program's", qdranttest.Options{}, func(_ *testing.T, server *qdranttest.Server, cfg *Config) {
			cfg.Collection = "products"
			server.Recreate("products", 64, qdrant.Distance_Cosine)
			server.Insert("products", "7", nil, make([]float32, 64))
		}, serves + open + `
problem Qdrant collection: HOST: collection products holds 1 point and is not citebot's → name another with QDRANT_COLLECTION, or delete it`},
		{"another length", qdranttest.Options{}, func(_ *testing.T, server *qdranttest.Server, cfg *Config) {
			cfg.Collection = "products"
			server.Recreate("products", 3, qdrant.Distance_Dot)
		}, serves + open + `
problem Qdrant collection: HOST: collection products holds vectors of 3 values by Dot, this bot's have 64 by Cosine → name another with QDRANT_COLLECTION, or delete it`},
		{"another distance", qdranttest.Options{}, func(_ *testing.T, server *qdranttest.Server, cfg *Config) {
			cfg.Collection = "products"
			server.Recreate("products", 64, qdrant.Distance_Dot)
		}, serves + open + `
problem Qdrant collection: HOST: collection products holds vectors of 64 values by Dot, this bot's have 64 by Cosine → name another with QDRANT_COLLECTION, or delete it`},
		{"of a later format", qdranttest.Options{}, func(t *testing.T, _ *qdranttest.Server, cfg *Config) {
			s := puts(t, *cfg, 1)
			must(t, s.update(t.Context(), &qdrant.UpdateCollection{CollectionName: testName, Metadata: map[string]*qdrant.Value{metaFormat: qdrant.NewValueInt(format + 1)}}))
		}, serves + open + `
problem Qdrant collection: HOST: collection citebot_random-1_64 was made by a newer citebot → use that one here, too, or name another collection with QDRANT_COLLECTION`},
		{"without its mark", qdranttest.Options{}, func(t *testing.T, server *qdranttest.Server, cfg *Config) {
			cfg.Holder = "office"
			s := puts(t, *cfg, 1)
			server.Recreate(testName, 64, qdrant.Distance_Cosine)
			must(t, s.Put(t.Context(), vectors(0, 2)))
		}, serves + open + `
ok Qdrant collection: citebot_random-1_64 has lost its mark and holds 2 points, all of citebot's; the bot takes it
ok Qdrant writer: this bot, office`},
		{"another program's lease", qdranttest.Options{}, func(t *testing.T, server *qdranttest.Server, cfg *Config) {
			puts(t, *cfg, 1)
			server.Recreate(leaseOf(testName), 3, qdrant.Distance_Cosine)
		}, serves + open + `
ok Qdrant collection: citebot_random-1_64 holds 1 point of 64 values of random/1
problem Qdrant writer: HOST: collection citebot_random-1_64_lease, for the writer's lease, is not citebot's → name another than citebot_random-1_64 with QDRANT_COLLECTION, or delete it`},
		{"newer", qdranttest.Options{Version: "1.19.0"}, nil, `
warn Qdrant server: version 1.19.0 at HOST; this bot was made for 1.16 to 1.18 → use one of these, or a newer bot, should anything not work
` + open + `
ok Qdrant collection: citebot_random-1_64 is not there yet; the bot makes it
ok Qdrant writer: nobody; the next bot that starts writes`},
		{"of one's own", qdranttest.Options{Version: "master"}, nil, `
ok Qdrant server: version master at HOST
` + open + `
ok Qdrant collection: citebot_random-1_64 is not there yet; the bot makes it
ok Qdrant writer: nobody; the next bot that starts writes`},
		{"old", qdranttest.Options{Version: "1.15.9"}, nil, `
problem Qdrant server: HOST: it is of version 1.15.9 → citebot needs 1.16 or newer: upgrade it`},
		{"no key", qdranttest.Options{APIKey: "hush"}, nil, serves + `
problem Qdrant key: HOST: it wants a key, and QDRANT_API_KEY is not set → set QDRANT_API_KEY, or QDRANT_API_KEY_FILE, to one that may write collections`},
		{"wrong key", qdranttest.Options{APIKey: "hush"}, func(_ *testing.T, _ *qdranttest.Server, cfg *Config) { cfg.APIKey = "hushhush" }, serves + `
problem Qdrant key: HOST: it refused QDRANT_API_KEY → set a key that may write collections`},
		{"key that reads", qdranttest.Options{APIKey: readingKey}, func(_ *testing.T, _ *qdranttest.Server, cfg *Config) { cfg.APIKey = readingKey }, serves + `
warn Qdrant key: QDRANT_API_KEY may read and not write: this bot finds what another one has stored → set a key with manage access, unless that is meant
ok Qdrant collection: citebot_random-1_64 is not there yet; the bot makes it
ok Qdrant writer: nobody; the next bot that starts writes`},
		{"no address", qdranttest.Options{}, func(_ *testing.T, _ *qdranttest.Server, cfg *Config) { cfg.URL = "qdrant:6334" }, `
problem Qdrant server: QDRANT_URL is not a web address → write that of Qdrant's gRPC port, for example http://127.0.0.1:6334`},
		{"key in the open", qdranttest.Options{}, func(_ *testing.T, _ *qdranttest.Server, cfg *Config) {
			cfg.URL, cfg.APIKey = "http://qdrant.invalid:6334", "hush"
		}, `
warn Qdrant key: QDRANT_API_KEY goes unencrypted over the network to qdrant.invalid → switch on TLS in Qdrant (service.enable_tls) and write https:// in QDRANT_URL, or keep both in one private network
problem Qdrant server: qdrant.invalid:6334: its host's name leads nowhere → correct QDRANT_URL`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := qdranttest.New(t, test.options)
			cfg := Config{URL: server.URL(), Model: "random/1", Dim: kbtest.Dim}
			if test.before != nil {
				test.before(t, server, &cfg)
			}
			got := examined(t, server, cfg)
			want := strings.TrimSpace(strings.ReplaceAll(test.want, "\n\n", "\n"))
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// threeSeconds is a wait until a call's deadline; on a busy machine it is a little longer.
var threeSeconds = regexp.MustCompile(`for 3(\.[0-9])?s`)

// A server that hangs, or whose calls fail, is told of, and costs little time.
func TestExamineTrouble(t *testing.T) {
	for _, test := range []struct {
		name     string
		mischief qdranttest.Mischief
		want     string // part of the last line
	}{
		{"all hang", qdranttest.Mischief{Hang: true}, `problem Qdrant server: HOST: no answer to "health" for 3s → `},
		{"the list hangs", qdranttest.Mischief{Method: qdranttest.ListCollections, Hang: true}, `problem Qdrant server: HOST: no answer to "list" for 3s → `},
		{"collections hang", qdranttest.Mischief{Method: qdranttest.GetCollection, Hang: true}, `problem Qdrant collection: HOST: no answer to "info" for 3s → `},
		{"the lease hangs", qdranttest.Mischief{Method: qdranttest.Get, Hang: true}, `problem Qdrant writer: HOST: no answer to "lease" for 3s → `},
		{"broken", qdranttest.Mischief{Method: qdranttest.GetCollection, Code: codes.Internal, Message: "Service internal error: hush"}, "problem Qdrant collection: HOST: Service internal error: … (info, Internal) → see Qdrant's log"},
		{"too many calls", qdranttest.Mischief{Method: qdranttest.ListCollections, Code: codes.ResourceExhausted, Message: "rate", RetryAfter: 30}, "refuses more calls for 30 s"},
		{"forbidden", qdranttest.Mischief{Method: qdranttest.ListCollections, Code: codes.PermissionDenied, Message: "no"}, "problem Qdrant key: HOST: it refused QDRANT_API_KEY"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := qdranttest.New(t, qdranttest.Options{})
			cfg := Config{URL: server.URL(), Model: "random/1", Dim: kbtest.Dim, Collection: "support", APIKey: "hush"}
			puts(t, cfg, 1)
			for i := range 10 {
				server.Recreate(fmt.Sprintf("citebot_%d", i), 8, qdrant.Distance_Cosine)
			}
			server.Misbehave(-1, test.mischief)
			defer server.Behave() // the stores give their leases back
			calls, begun := server.Calls(test.mischief.Method), time.Now()
			if found := examined(t, server, cfg); !strings.Contains(threeSeconds.ReplaceAllString(found, "for 3s"), test.want) {
				t.Errorf("found:\n%s", found)
			}
			n, took := server.Calls(test.mischief.Method)-calls, time.Since(begun)
			if took > 4*examineWithin || test.mischief.Hang && n > 3 {
				t.Errorf("%d calls in %v", n, took)
			}
		})
	}
}

func TestExamineCancelled(t *testing.T) {
	server := qdranttest.New(t, qdranttest.Options{})
	server.Freeze()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if found := Examine(ctx, Config{URL: server.URL(), Model: "random/1", Dim: 64}); len(found) != 1 || found[0].Detail != context.Canceled.Error() {
		t.Errorf("%+v", found)
	}
}

// With a lock file, that is what tells who writes.
func TestExamineLockFile(t *testing.T) {
	server := qdranttest.New(t, qdranttest.Options{})
	dir := t.TempDir()
	cfg := Config{URL: server.URL(), Model: "random/1", Dim: kbtest.Dim, LeaseFile: filepath.Join(dir, "writer.lock")}
	check := func(want string) {
		t.Helper()
		found := strings.ReplaceAll(examined(t, server, cfg), dir, "DIR")
		if !strings.HasSuffix(found, want) {
			t.Errorf("found:\n%s\nwant …%s", found, want)
		}
	}
	check("ok Qdrant writer: nobody has locked DIR/writer.lock; the next bot that starts writes")
	if _, err := os.Stat(cfg.LeaseFile); err == nil {
		t.Error("the file was made")
	}
	s, err := Open(cfg)
	must(t, err)
	must(t, s.Put(t.Context(), someVectors(kbtest.Dim, 1)))
	check("ok Qdrant writer: a bot of this machine, which has locked DIR/writer.lock")
	must(t, s.Close())
	check("ok Qdrant writer: nobody has locked DIR/writer.lock; the next bot that starts writes")
	puts(t, cfg, 1) // nothing keeps the file locked
	cfg.LeaseFile = filepath.Join(dir, "no", "where")
	check("no such file or directory → let this user write it, or name another with lease_file in bot.yaml")
}

func TestReadsOnly(t *testing.T) {
	token := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	for key, want := range map[string]bool{
		token(`{"access":"r"}`): true, token(`{"exp":1,"access":"m"}`): false, token(`{}`): false, token(`[`): false,
		token(`{"access":[{"collection":"support","access":"r"}]}`): false,
		"": false, "a-key": false, "a.key.!": false, "a.key.with.dots": false,
	} {
		if readsOnly(key) != want {
			t.Errorf("%q: %v", key, !want)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.8.0.1": true, "::1": true,
		"0.0.0.0": false, "10.0.0.7": false, "qdrant": false, "localhost.example.com": false, "": false,
	} {
		if isLoopback(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}

// What Qdrant says of a collection's health is passed on.
func TestHealth(t *testing.T) {
	for want, info := range map[string]*qdrant.CollectionInfo{
		"ok it is so":  {Status: qdrant.CollectionStatus_Green, OptimizerStatus: &qdrant.OptimizerStatus{Ok: true}},
		"ok it is so ": {Status: qdrant.CollectionStatus_Yellow}, // it is being optimised
		"warn it is so; Qdrant calls its state red":                 {Status: qdrant.CollectionStatus_Red},
		"warn it is so; Qdrant could not optimise it: no disk left": {Status: qdrant.CollectionStatus_Red, OptimizerStatus: &qdrant.OptimizerStatus{Error: "no disk left"}},
	} {
		x := examiner{}
		x.health("it is so", info)
		if got := x.found[0].State + " " + x.found[0].Detail; got != strings.TrimSpace(want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestIsFar(t *testing.T) {
	for version, want := range map[string]bool{
		"1.15.9": true, "1.16.0": false, "1.17.4": false, "1.18.2": false, "1.19.0": true, "2.17.0": true, "0.17.0": true,
		"master": false, "1": false, "": false, "1.x.0": false,
	} {
		if isFar(version) != want {
			t.Errorf("%q: %v", version, !want)
		}
	}
}

// The library's version is in its module's, so that a newer one is not forgotten here.
func TestClientVersion(t *testing.T) {
	mod, err := os.ReadFile("../../../go.mod")
	must(t, err)
	_, rest, _ := strings.Cut(string(mod), "github.com/qdrant/go-client v")
	version, _, _ := strings.Cut(rest, "\n")
	if is, ok := minorOf(version); !ok || is != clientVersion {
		t.Errorf("go.mod has %s, this is for %v", version, clientVersion)
	}
}
