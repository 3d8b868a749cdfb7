package qdrant

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"citebot/internal/kb"
	"citebot/internal/kb/kbtest"
	"citebot/internal/kb/qdrant/qdranttest"

	"github.com/google/uuid"
	"go.uber.org/goleak"
)

// Package kb's index keeps workers for the process.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/blevesearch/bleve_index_api.AnalysisWorker"))
}

// opened is a store of a test's own collection.
func opened(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.Dim == 0 {
		cfg.Dim, cfg.Model = kbtest.Dim, "random/1"
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	for _, test := range []struct {
		name    string
		options qdranttest.Options
		cfg     Config
	}{
		{"plain", qdranttest.Options{}, Config{}},
		{"strict, with a key", qdranttest.Options{Strict: true, APIKey: "a-key"}, Config{APIKey: "a-key"}},
		{"quantised", qdranttest.Options{Optimised: true}, Config{Quantise: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := qdranttest.New(t, test.options)
			kbtest.VectorStore(t, fresh(server.URL(), test.cfg))
			if wrong := server.Complaints(); len(wrong) > 0 {
				t.Errorf("rules broken: %q", wrong)
			}
		})
	}
}

// The same on a real server, where there is one.
func TestContractOnServer(t *testing.T) {
	url := os.Getenv("QDRANT_TEST_URL")
	if url == "" {
		t.Skip("QDRANT_TEST_URL names no server")
	}
	cfg := Config{APIKey: os.Getenv("QDRANT_TEST_API_KEY")}
	kbtest.VectorStore(t, fresh(url, cfg))
	t.Run("agree", func(t *testing.T) { kbtest.Agree(t, kb.NewMemoryVectors(kbtest.Dim), fresh(url, cfg)(t)()) })
	cfg.Quantise = true
	t.Run("quantised", func(t *testing.T) { kbtest.VectorStore(t, fresh(url, cfg)) })
}

func TestAgreesWithMemory(t *testing.T) {
	server := qdranttest.New(t, qdranttest.Options{})
	kbtest.Agree(t, kb.NewMemoryVectors(kbtest.Dim), fresh(server.URL(), Config{})(t)())
}

// What another run on the same server left, as one that was killed does, or is about to do is
// no matter.
func TestFreshIsEmpty(t *testing.T) {
	server := qdranttest.New(t, qdranttest.Options{})
	for n := range 2 {
		store := fresh(server.URL(), Config{})(t)()
		keys, err := store.Keys(t.Context())
		if must(t, err); len(keys) > 0 {
			t.Errorf("it holds %q", keys)
		}
		must(t, store.Put(t.Context(), vectors(n, 1)))
	}
}

// fresh makes collections of new names, which are deleted after the test. All openings have
// one holder, as a bot that starts again has.
func fresh(url string, cfg Config) kbtest.Fresh {
	return func(t *testing.T) func() kb.VectorStore {
		cfg := cfg
		cfg.URL, cfg.Holder = url, t.Name()
		cfg.Collection = "citebot_test_" + strings.NewReplacer("/", "_", "#", "_", ",", "").Replace(t.Name()) + "_" + uuid.NewString()
		first := patient(opened(t, cfg))
		t.Cleanup(func() {
			for _, name := range []string{cfg.Collection, leaseOf(cfg.Collection)} {
				err := first.call(context.WithoutCancel(t.Context()), "drop", first.times.create, func(ctx context.Context) error {
					return first.client.DeleteCollection(ctx, name)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		return func() kb.VectorStore { return patient(opened(t, cfg)) }
	}
}

// patient lets calls take long: a busy machine is no matter of the contract.
func patient(s *Store) *Store {
	for _, within := range []*time.Duration{&s.times.search, &s.times.ask, &s.times.page, &s.times.write, &s.times.create} {
		*within = time.Minute
	}
	return s
}
