package qdrant

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"citebot/internal/kb"
	"citebot/internal/kb/kbtest"
	"citebot/internal/kb/qdrant/qdranttest"

	"github.com/google/go-cmp/cmp"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

// Collections that do not fit are refused and left alone.
func TestCollectionsThatDoNotFit(t *testing.T) {
	for _, test := range []struct {
		name  string
		there func(*qdranttest.Server)
		want  string // "": it is taken
	}{
		{"another length", func(s *qdranttest.Server) { s.Recreate("mine", 3, qdrant.Distance_Cosine) }, "collection mine holds vectors of 3 values by Cosine, this bot's have 64 by Cosine"},
		{"another distance", func(s *qdranttest.Server) { s.Recreate("mine", kbtest.Dim, qdrant.Distance_Dot) }, "by Dot"},
		{"empty", func(s *qdranttest.Server) { s.Recreate("mine", kbtest.Dim, qdrant.Distance_Cosine) }, ""},
		{"another program's", func(s *qdranttest.Server) {
			s.Recreate("mine", kbtest.Dim, qdrant.Distance_Cosine)
			s.Insert("mine", "7", map[string]any{"text": "theirs"}, vectors(1, 1)[0].Values)
		}, "holds 1 point and is not citebot's; name another with QDRANT_COLLECTION"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server, s := served(t, qdranttest.Options{}, Config{Collection: "mine"})
			test.there(server)
			before := server.Points("mine")
			err := s.Put(t.Context(), vectors(1, 2))
			switch {
			case test.want == "":
				must(t, err)
				if _, err := opened(t, Config{URL: server.URL(), Collection: "mine"}).Keys(t.Context()); err != nil {
					t.Errorf("opened again: %v", err)
				}
			case err == nil || !strings.Contains(err.Error(), test.want):
				t.Errorf("error: %v\nwant …%s…", err, test.want)
			case !cmp.Equal(before, server.Points("mine")):
				t.Errorf("it was written")
			}
		})
	}
}

// Another model gets a collection of its own beside the old one, which goes on serving those
// that still have the old model.
func TestAnotherModel(t *testing.T) {
	for _, name := range []string{"", "mine"} {
		server := qdranttest.New(t, qdranttest.Options{})
		cfg := Config{URL: server.URL(), Collection: name, Model: "old/1", Dim: kbtest.Dim}
		old := opened(t, cfg)
		must(t, old.Put(t.Context(), vectors(0, 5)))
		for _, dim := range []int{kbtest.Dim, 3} {
			cfg.Model, cfg.Dim = fmt.Sprint("New Model/", dim), dim
			fresh := opened(t, cfg)
			must(t, fresh.Put(t.Context(), []kb.Vector{{Key: "k", Audience: "public", Values: make([]float32, dim)}}))
			if keys := keysOf(t, fresh); !slices.Equal(keys, []string{"k"}) {
				t.Errorf("the new collection holds %q", keys)
			}
			if used, _ := fresh.known(); !strings.HasSuffix(used, fmt.Sprintf("_new-model-%d_%d", dim, dim)) {
				t.Errorf("the new collection is %s", used)
			}
		}
		if hits, err := old.Search(t.Context(), vectors(0, 1)[0].Values, []string{"public"}, 9); err != nil || len(hits) != 5 {
			t.Errorf("the old one finds %d (%v)", len(hits), err)
		}
	}
}

func TestQuantisationFollowsTheConfiguration(t *testing.T) {
	server := qdranttest.New(t, qdranttest.Options{})
	for _, quantise := range []bool{false, true, false} {
		s := opened(t, Config{URL: server.URL(), Quantise: quantise, Holder: "one"})
		must(t, s.Put(t.Context(), vectors(0, 6)))
		if got := server.Info(testName).Int8; got != quantise {
			t.Errorf("int8 %v, want %v", got, quantise)
		}
	}
}

// Bots that are configured differently do not change the collection to and fro: the writer's
// configuration holds.
func TestReadersChangeNothing(t *testing.T) {
	server, stores := bots(t, 2, Config{Quantise: true})
	a, b := stores[0], stores[1]
	b.cfg.Quantise = false
	if !writesNow(t, a) || writesNow(t, b) {
		t.Fatal("the first does not write, or the second does")
	}
	a.times.lasts, b.times.lasts = usualTimes.lasts, usualTimes.lasts
	before := server.Calls(qdranttest.UpdateCollection)
	for range 3 {
		keysOf(t, a)
		keysOf(t, b)
	}
	if n := server.Calls(qdranttest.UpdateCollection) - before; n > 0 || !server.Info(testName).Int8 {
		t.Errorf("%d changes; int8 %v", n, server.Info(testName).Int8)
	}
	a.giveBack(t.Context(), testName)
	keysOf(t, b) // which may write now
	if server.Info(testName).Int8 {
		t.Error("the new writer's configuration does not hold")
	}
}

// A reader leaves alone what its writer has to mend, and reads it.
func TestReaderOfAFlawedCollection(t *testing.T) {
	server, stores := bots(t, 2, Config{})
	a, b := stores[0], stores[1]
	a.times.lasts, b.times.lasts = usualTimes.lasts, usualTimes.lasts
	if !writesNow(t, a) {
		t.Fatal("the first does not write")
	}
	server.Recreate(testName, kbtest.Dim, qdrant.Distance_Cosine)
	keysOf(t, b)
	if info := server.Info(testName); len(info.Indexes)+len(info.Metadata) > 0 {
		t.Errorf("the reader mended it: %+v", info)
	}
	keysOf(t, a)
	if info := server.Info(testName); len(info.Indexes) != len(indexed) || info.Metadata[metaModel] != "random/1" {
		t.Errorf("the writer did not: %+v", info)
	}
}

// An index of another type, which someone has put in the place of ours, serves no search.
func TestIndexOfAnotherType(t *testing.T) {
	server, s := served(t, qdranttest.Options{Strict: true}, Config{})
	v := vectors(0, 3)
	must(t, s.Put(t.Context(), v))
	must(t, s.indexOne(t.Context(), testName, fieldAudience, qdrant.FieldType_FieldTypeInteger))
	must(t, s.indexOne(t.Context(), leaseOf(testName), fieldHolder, qdrant.FieldType_FieldTypeInteger))
	keysOf(t, s)
	if got := server.Info(testName).Indexes[fieldAudience]; got != qdrant.PayloadSchemaType_Keyword {
		t.Errorf("the index is of type %s", got)
	}
	if hits, err := s.Search(t.Context(), v[0].Values, []string{"public"}, 3); err != nil || len(hits) != 3 {
		t.Errorf("found %d (%v)", len(hits), err)
	}
	expire(s)
	_ = s.Put(t.Context(), v) // whatever becomes of it
	must(t, s.Put(t.Context(), v))
	if got := server.Info(leaseOf(testName)).Indexes[fieldHolder]; got != qdrant.PayloadSchemaType_Keyword {
		t.Errorf("the lease's index is of type %s", got)
	}
}

// What cannot be mended can be read.
func TestMendingFails(t *testing.T) {
	for _, code := range []codes.Code{codes.PermissionDenied, codes.Internal} {
		server, s := served(t, qdranttest.Options{}, Config{})
		must(t, s.Put(t.Context(), vectors(0, 3)))
		s.cfg.Quantise = true
		server.Misbehave(-1, qdranttest.Mischief{Method: qdranttest.UpdateCollection, Code: code, Message: "no"})
		if keys := keysOf(t, s); len(keys) != 3 {
			t.Errorf("%v: keys %q", code, keys)
		}
		if err := s.Put(t.Context(), vectors(0, 3)); errors.Is(err, kb.ErrNotWriter) != (code == codes.PermissionDenied) {
			t.Errorf("%v: put: %v", code, err)
		}
		server.Behave()
		must(t, s.Put(t.Context(), vectors(0, 3)))
		if !server.Info(testName).Int8 {
			t.Errorf("%v: it is not mended afterwards", code)
		}
	}
}

// A collection that is lost and made anew by someone, and written before it is looked at, has
// no mark and is ours all the same.
func TestRecreatedThenWritten(t *testing.T) {
	server, s := served(t, qdranttest.Options{}, Config{})
	must(t, s.Put(t.Context(), vectors(0, 3)))
	server.Recreate(testName, kbtest.Dim, qdrant.Distance_Cosine)
	must(t, s.Put(t.Context(), vectors(3, 2*pagePoints)))
	if keys := keysOf(t, s); len(keys) != 2*pagePoints {
		t.Errorf("%d keys", len(keys))
	}
	if info := server.Info(testName); info.Metadata[metaModel] != "random/1" || len(info.Indexes) != len(indexed) {
		t.Errorf("it is not mended: %+v", info)
	}
}

// One that does not fit any more is not used any more.
func TestRecreatedForOthers(t *testing.T) {
	server, s := served(t, qdranttest.Options{}, Config{})
	must(t, s.Put(t.Context(), vectors(0, 3)))
	server.Recreate(testName, 3, qdrant.Distance_Cosine)
	if _, err := s.Keys(t.Context()); err == nil {
		t.Error("it fits")
	}
	if name, ok := s.known(); ok {
		t.Errorf("%s is in use", name)
	}
}

func TestLaterFormat(t *testing.T) {
	server, s := served(t, qdranttest.Options{}, Config{})
	must(t, s.Put(t.Context(), vectors(0, 3)))
	later := s.mark()
	later[metaFormat] = qdrant.NewValueInt(format + 1)
	must(t, s.update(t.Context(), &qdrant.UpdateCollection{CollectionName: testName, Metadata: later}))
	const want = "was made by a newer citebot; use that one here, too, or name another collection with QDRANT_COLLECTION"
	if _, err := s.Keys(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error: %v", err)
	}
	if n := len(server.Points(testName)); n != 3 {
		t.Errorf("%d points are left", n)
	}
}
