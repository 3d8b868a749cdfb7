package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"citebot/internal/kb"
	"citebot/internal/kb/parse"
	qdrantkb "citebot/internal/kb/qdrant"
	"citebot/internal/kb/qdrant/qdranttest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
)

// The tests in this file run the real program, as processes that they stop and kill, beside a
// Qdrant that package qdranttest makes.

// A qdrantHouse is a house whose bots keep their vectors in Qdrant.
type qdrantHouse struct {
	*house
	*qdranttest.Server
	collection string
	address    string // host:port that the bots have
	complains  bool   // the server may, in the end
}

// The server's key, and the collection of the built-in model.
const (
	qdrantKey        = "a-long-random-qdrant-key"
	qdrantCollection = "support"
)

func newQdrantHouse(t testing.TB, options qdranttest.Options) *qdrantHouse {
	options.APIKey = qdrantKey
	q := &qdrantHouse{house: newHouse(t, houseConfig), collection: qdrantCollection}
	q.Server = qdranttest.New(t, options)
	q.address = q.Addr()
	q.secrets = append(q.secrets, qdrantKey)
	q.env = append(q.env, "QDRANT_URL="+q.URL(), "QDRANT_API_KEY="+qdrantKey, "QDRANT_COLLECTION="+q.collection)
	t.Cleanup(func() {
		if wrong := q.Complaints(); len(wrong) > 0 && !q.complains {
			t.Errorf("the bot broke rules of Qdrant: %q", wrong)
		}
	})
	return q
}

// set gives the bots of a house another setting.
func (h *qdrantHouse) set(name, value string) { h.env = append(h.env, name+"="+value) }

// moved is the server at another address.
func (h *qdrantHouse) moved(url string) {
	h.address = url[strings.LastIndex(url, "/")+1:]
	h.set("QDRANT_URL", url)
}

// A blank embedder knows no meaning.
type blank struct{}

func (blank) ID() string                                            { return "blank" }
func (blank) Dim() int                                              { return 1 }
func (blank) EmbedQuery(context.Context, string) ([]float32, error) { return []float32{1}, nil }
func (blank) EmbedPassages(_ context.Context, texts []string) ([][]float32, error) {
	return slices.Repeat([][]float32{{1}}, len(texts)), nil
}

// wanted are the payloads of the points that a house's documents need, by the passages'
// hashes, as a library of another state folder has them.
func (h *house) wanted() map[string]map[string]any {
	h.t.Helper()
	cfg, err := loadConfig(func(string) string { return "" }, flags{Config: filepath.Join(h.dir, "bot.yaml")})
	h.must(err)
	vectors := kb.NewMemoryVectors(1)
	library, err := kb.Open(context.Background(), kb.Config{
		Docs: filepath.Join(h.dir, "docs"), State: h.t.TempDir(), Parse: parse.Parse, Accepts: parse.Accepts, Audience: cfg.audienceOf,
		Embedder: blank{}, Vectors: vectors,
	})
	h.must(err)
	h.must(library.Sync(context.Background(), nil))
	hashes, err := vectors.Keys(context.Background())
	h.must(err)
	points := map[string]map[string]any{}
	for _, hash := range hashes {
		view, _ := library.View(hash)
		points[hash] = map[string]any{"hash": hash, "path": view.Passage.Path, "audience": view.Passage.Audience}
	}
	h.must(library.Close())
	return points
}

// reflected waits until the collection holds what the documents need, and nothing else.
func (h *qdrantHouse) reflected() {
	h.t.Helper()
	want, diff := h.wanted(), ""
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * readyWithin); ; <-tick.C {
		if diff = cmp.Diff(want, h.stored()); diff == "" {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("the points are not those of the documents (-want +got):\n%s", diff)
		}
	}
}

// stored are the payloads of the points, by the hash; ids must be derived.
func (h *qdrantHouse) stored() map[string]map[string]any {
	h.t.Helper()
	points := map[string]map[string]any{}
	for _, p := range h.Points(h.collection) {
		if id, err := uuid.Parse(p.ID); err != nil || id.Version() != 5 {
			return nil
		}
		hash, _ := p.Payload["hash"].(string)
		delete(p.Payload, "seal") // which only the store can check
		points[hash] = p.Payload
	}
	return points
}

// An askedFor is what of an answer matters here.
type askedFor struct {
	Verdict, Answer string
	Sources         []struct{ Path string }
	Degraded        []string
}

// asks puts a question to a bot, which must answer with the words and a source.
func (c *child) asks(question, words string) (a askedFor) {
	c.t.Helper()
	body, err := json.Marshal(map[string]string{"question": question})
	c.must(err)
	status, text := c.do(http.MethodPost, "/api/ask", string(body), "")
	if status != http.StatusOK {
		c.t.Fatalf("asked %q: %d %s", question, status, text)
	}
	c.must(json.Unmarshal([]byte(text), &a))
	if !strings.Contains(a.Answer, words) || len(a.Sources) == 0 {
		c.t.Errorf("asked %q, not answered %q but %s", question, words, text)
	}
	return a
}

// answers says whether a bot answers well, with vectors or without.
func (c *child) answers(vectors bool) {
	c.t.Helper()
	if a := c.asks(askReturn, saysReturn); (len(a.Degraded) == 0) != vectors {
		c.t.Errorf("should be answered with vectors: %v; without: %q", vectors, a.Degraded)
	}
}

// mends waits until vectors take part again, and are those that they should be.
func (h *qdrantHouse) mends(bot *child) {
	h.t.Helper()
	bot.tells(http.StatusOK, "vectors", "ok", "")
	h.reflected()
	bot.answers(true)
}

// Qdrant comes late, dies in the middle of a write, and comes back.
func TestQdrantComesAndGoes(t *testing.T) {
	t.Parallel()
	h := newQdrantHouse(t, qdranttest.Options{Strict: true})
	h.Stop()
	begun := time.Now()
	bot := h.launch()
	bot.tells(http.StatusOK, "vectors", "degraded", "Qdrant at "+h.address)
	took := time.Since(begun)
	t.Logf("ready after %v", took)
	if took > 4*5*time.Second {
		t.Error("that is too late")
	}
	bot.tells(http.StatusOK, "vectors", "degraded", "start it, or correct QDRANT_URL")
	bot.answers(false)

	h.Start()
	h.mends(bot)

	h.Misbehave(-1, qdranttest.Mischief{Method: qdranttest.Upsert, DieMidBatch: true})
	before := h.Calls(qdranttest.Upsert)
	h.write("docs/fees.md", fees(1))
	h.until("a write", func() bool { return h.Calls(qdranttest.Upsert) > before })
	h.Stop()
	bot.answers(false)
	h.until("the new document to be read", func() bool {
		a := bot.asks("What is the fee of section 7?", "")
		return strings.Contains(a.Answer, "8 pounds")
	})
	h.Behave()
	h.Start()
	h.mends(bot)
	bot.stop()
}

// What may be wrong with the server or with how it is named: the bot answers without it, says
// what to do, and goes on by itself once that is done where it can.
func TestQdrantTroubles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		options qdranttest.Options
		begin   func(*qdrantHouse)
		words   string               // of /readyz and the doctor
		mend    func(h *qdrantHouse) // nil: that needs a restart
	}{
		{"hangs", qdranttest.Options{}, func(h *qdrantHouse) { h.Freeze() }, "no answer to", func(h *qdrantHouse) { h.Thaw() }},
		{"says nothing", qdranttest.Options{}, func(h *qdrantHouse) { h.moved(qdranttest.NewSilent(t)) }, "no answer to", nil},
		{"wrong key", qdranttest.Options{}, func(h *qdrantHouse) { h.set("QDRANT_API_KEY", qdrantKey+"s") }, "refused QDRANT_API_KEY", nil},
		{"TLS and http", qdranttest.Options{TLS: true}, func(h *qdrantHouse) { h.moved("http://" + h.Addr()) }, "write https:// in QDRANT_URL", nil},
		{"https and no TLS", qdranttest.Options{}, func(h *qdrantHouse) { h.moved("https://" + h.Addr()) }, "write http:// in QDRANT_URL", nil},
		{"unknown authority", qdranttest.Options{TLS: true}, func(*qdrantHouse) {}, "add its authority to the system's roots", nil},
		{"port of REST", qdranttest.Options{}, func(h *qdrantHouse) { h.moved(qdranttest.NewREST(t)) }, "must name the gRPC port, 6334", nil},
		{"wrong dimension", qdranttest.Options{}, func(h *qdrantHouse) { h.Recreate(h.collection, 3, qdrant.Distance_Cosine) },
			"holds vectors of 3 values", func(h *qdrantHouse) { h.Drop(h.collection) }},
		{"wrong distance", qdranttest.Options{}, func(h *qdrantHouse) { h.Recreate(h.collection, 384, qdrant.Distance_Dot) },
			"384 values by Dot", func(h *qdrantHouse) { h.Drop(h.collection) }},
		{"another program's", qdranttest.Options{}, (*qdrantHouse).occupy, "holds 2 points and is not citebot's", func(h *qdrantHouse) { h.Drop(h.collection) }},
		{"old", qdranttest.Options{Version: "1.15.5"}, func(*qdrantHouse) {}, "needs 1.16 or newer", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newQdrantHouse(t, test.options)
			test.begin(h)
			there := h.Points(h.collection)
			bot := h.launch()
			bot.tells(http.StatusOK, "vectors", "degraded", test.words)
			if _, _, problem := bot.part("vectors"); !strings.Contains(problem, "Qdrant at "+h.address) {
				t.Errorf("readyz does not say where that is: %s", problem)
			}
			bot.answers(false)
			bot.get("/metrics") // which must not hold the key
			h.doctorFinds(test.words)
			if diff := cmp.Diff(there, h.Points(h.collection)); diff != "" {
				t.Errorf("points changed:\n%s", diff)
			}
			if test.mend != nil {
				test.mend(h)
				h.mends(bot)
			}
			bot.stop()
		})
	}
}

// occupy is another program that uses the collection.
func (h *qdrantHouse) occupy() {
	h.Recreate(h.collection, 384, qdrant.Distance_Cosine)
	for _, id := range []string{"7", uuid.NewString()} {
		h.Insert(h.collection, id, map[string]any{"price": 7}, make([]float32, 384))
	}
}

// doctorFinds checks that the doctor has the words, with something that is to be done.
func (h *qdrantHouse) doctorFinds(words string) {
	h.t.Helper()
	code, out := h.run("doctor", "--json")
	found := false
	for line := range strings.Lines(out) {
		var d diagnosis
		h.must(json.Unmarshal([]byte(line), &d))
		found = found || d.State == stateProblem && d.Remedy != "" && strings.Contains(d.Detail+"; "+d.Remedy, words)
	}
	if !found || code != exitError {
		h.t.Errorf("the doctor ends with %d and does not find %q in:\n%s", code, words, out)
	}
}

func TestQdrantWithTLS(t *testing.T) {
	t.Parallel()
	h := newQdrantHouse(t, qdranttest.Options{TLS: true, Strict: true})
	h.write("ca.pem", string(h.CA()))
	h.set("SSL_CERT_FILE", filepath.Join(h.dir, "ca.pem"))
	bot := h.start()
	h.mends(bot)
	bot.wantSeries(`citebot_qdrant_call_seconds_count{call="create"} 2`)
	bot.stop()
}

// A collection of another model is left alone, and one beside it is used.
func TestQdrantAnotherModel(t *testing.T) {
	t.Parallel()
	h := newQdrantHouse(t, qdranttest.Options{})
	h.must(h.storeOf("another/1", 8, func(s *qdrantkb.Store) error {
		return s.Put(t.Context(), []kb.Vector{{Key: "a", Path: "b.md", Audience: "public", Values: make([]float32, 8)}})
	}))
	there := h.Points(h.collection)
	bot := h.start()
	all := h.Collections()
	h.collection = all[slices.IndexFunc(all, func(name string) bool { return strings.HasSuffix(name, "_384") })]
	h.mends(bot)
	if diff := cmp.Diff(there, h.Points(qdrantCollection)); diff != "" {
		t.Errorf("points changed:\n%s", diff)
	}
	if _, out := h.run("doctor", "--json"); !strings.Contains(out, qdrantCollection+", 1 point of another/1, is no longer used by this bot") {
		t.Errorf("the doctor says:\n%s", out)
	}
	bot.stop()
}

// storeOf opens a store of another model in the house's collection.
func (h *qdrantHouse) storeOf(model string, dim int, use func(*qdrantkb.Store) error) error {
	s, err := qdrantkb.Open(qdrantkb.Config{URL: h.URL(), APIKey: qdrantKey, Collection: h.collection, Model: model, Dim: dim})
	h.must(err)
	return errors.Join(use(s), s.Close())
}

// A server that begins to hang costs one question some time, and a stop little.
func TestQdrantHangs(t *testing.T) {
	t.Parallel()
	h := newQdrantHouse(t, qdranttest.Options{Strict: true})
	bot := h.start()
	h.mends(bot)
	h.Freeze()
	asked, begun := h.Calls(qdranttest.Query), time.Now()
	bot.answers(false)
	t.Logf("the first answer without it took %v", time.Since(begun))
	for range 10 {
		bot.answers(false)
	}
	if n := h.Calls(qdranttest.Query) - asked; n != 1 {
		t.Errorf("%d searches waited for it", n)
	}
	h.Thaw()
	h.mends(bot)
	h.Freeze()
	bot.answers(false)
	told := time.Now()
	bot.stop()
	t.Logf("the stop took %v", time.Since(told))
}

// A bot that is killed while it writes goes on with that at once when it is started again: the
// lease is its own.
func TestQdrantBotIsKilled(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{false, true} {
		h := newQdrantHouse(t, qdranttest.Options{Strict: true})
		bot := h.start()
		h.mends(bot)
		before := h.Calls(qdranttest.Upsert)
		h.Misbehave(1, qdranttest.Mischief{Method: qdranttest.Upsert, Hang: true, Done: done})
		h.write("docs/returns.md", "# Returns policy\n\nYou can return most items within 37 days of delivery.\n")
		h.until("a write", func() bool { return h.Calls(qdranttest.Upsert) > before })
		bot.kill()
		bot = h.start()
		h.reflected()
		bot.asks(askReturn, "37 days")
		bot.stop()
	}
}

// A collection that was lost shows at the next search. The server may complain of that.
func TestQdrantLosesTheCollection(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(h *qdrantHouse)
	}{
		{"dropped", func(h *qdrantHouse) { h.Drop(h.collection) }},
		{"dropped with its lease", func(h *qdrantHouse) { h.Drop(h.collection); h.Drop(h.collection + "_lease") }},
		{"made anew", func(h *qdrantHouse) { h.Recreate(h.collection, 384, qdrant.Distance_Cosine) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newQdrantHouse(t, qdranttest.Options{Strict: true})
			h.complains = true
			bot := h.start()
			h.mends(bot)
			test.change(h)
			h.until("the loss to be noticed", func() bool { return len(bot.asks(askReturn, saysReturn).Degraded) > 0 })
			h.mends(bot)
			bot.stop()
		})
	}
}

// What is done to points behind the bot's back shows at a check, of which there is one each
// half minute.
func TestQdrantChangedBehindOurBack(t *testing.T) {
	t.Parallel()
	h := newQdrantHouse(t, qdranttest.Options{Strict: true})
	bot := h.start()
	h.mends(bot)
	checks := h.Calls(qdranttest.Scroll)
	h.invade()
	h.Forget(h.collection, 2)
	h.Strip(h.collection, 2)
	h.mends(bot)
	if n := h.Calls(qdranttest.Scroll) - checks; n > 1 {
		t.Errorf("what the first check mended took %d", n)
	}
	bot.stop()
}

// invade adds points that are nobody's, of which one pretends not to be.
func (h *qdrantHouse) invade() {
	h.Insert(h.collection, "7", nil, make([]float32, 384))
	h.Insert(h.collection, uuid.NewString(), map[string]any{"hash": "of nothing", "audience": "public"}, make([]float32, 384))
	one := h.Points(h.collection)[0]
	h.Insert(h.collection, uuid.NewString(), one.Payload, one.Vector)
}

// What public searches ask Qdrant for does not hold what only staff may see, even where
// somebody has told Qdrant that all may.
func TestQdrantKeepsAudiencesApart(t *testing.T) {
	t.Parallel()
	h := newQdrantHouse(t, qdranttest.Options{Strict: true})
	bot := h.start()
	h.mends(bot)
	_, staff := bot.do(http.MethodPost, "/api/ask", `{"question":"`+askLeave+`","audience":["public","staff"]}`, "")
	h.checkLeave("an answer to staff", staff, true)
	for _, p := range h.Points(h.collection) {
		if p.Payload["audience"] == "staff" {
			h.Insert(h.collection, p.ID, map[string]any{"hash": p.Payload["hash"], "path": "returns.md", "audience": "public"}, p.Vector)
		}
	}
	_, public := bot.do(http.MethodPost, "/api/ask", `{"question":"`+askLeave+`"}`, "")
	h.checkLeave("a public answer", public, false)
	_, found := bot.get("/api/search?q=annual+leave+in+the+Netherlands")
	h.checkLeave("a public search", found, false)

	var asked [][]string
	for _, r := range qdranttest.Requests[*qdrant.QueryPoints](h.Server) {
		for _, c := range r.GetFilter().GetMust() {
			if c.GetField().GetKey() == "audience" {
				asked = append(asked, c.GetField().GetMatch().GetKeywords().GetStrings())
			}
		}
	}
	asked = slices.CompactFunc(asked, slices.Equal)
	if diff := cmp.Diff([][]string{{"public"}, {"public", "staff"}, {"public"}}, asked); diff != "" || len(asked) == 0 {
		t.Errorf("audiences of the searches (-want +got):\n%s", diff)
	}
	bot.stop()
}

// replica is another house with the same documents, whose bots use the same collection.
func (h *qdrantHouse) replica() *qdrantHouse {
	other := *h
	other.house = newHouse(h.t, houseConfig)
	other.env, other.secrets = h.env, h.secrets
	return &other
}

// name is how a house's bots call themselves.
func (h *qdrantHouse) name() string {
	h.t.Helper()
	data, err := os.ReadFile(filepath.Join(h.state(), "replica"))
	h.must(err)
	return strings.TrimSpace(string(data))
}

// writer is who holds the lease.
func (h *qdrantHouse) writer() string {
	points := h.Points(h.collection + "_lease")
	if len(points) == 0 {
		return ""
	}
	holder, _ := points[0].Payload["holder"].(string)
	name, _, _ := strings.Cut(holder, "/")
	return name
}

func (h *qdrantHouse) writes(name string) {
	h.t.Helper()
	h.until(name+" to write", func() bool { return h.writer() == name })
}

// Of two bots with one collection one writes, and the other takes over when that is killed or
// stops. Until then it answers from what it reads, and finds what is new to it by its words.
func TestQdrantSharedByTwo(t *testing.T) {
	t.Parallel()
	one := newQdrantHouse(t, qdranttest.Options{Strict: true})
	two := one.replica()
	first := one.start()
	one.writes(one.name())
	second := two.start()
	two.mends(second)

	two.change(second, "returns.md", saysReturn, "37 days")
	if a := second.asks(askReturn, "37 days"); strings.Contains(a.Answer, saysReturn) {
		t.Errorf("both editions in one answer: %s", a.Answer)
	}
	one.writes(one.name())
	one.change(first, "returns.md", saysReturn, "37 days")
	one.reflected()
	two.until("the passages to be found by their meaning", func() bool {
		_, documents := second.get("/api/documents")
		return !strings.Contains(documents, kb.Pending)
	})

	first.kill()
	killed := time.Now()
	two.change(second, "returns.md", "37 days", "38 days")
	two.reflected()
	took := time.Since(killed)
	t.Logf("the other one took over %v after the kill", took)
	if took > 4*25*time.Second {
		t.Error("that is too late")
	}
	two.writes(two.name())
	one.copyDoc(two, "returns.md")
	first = one.start()
	second.stop()
	if one.writer() == two.name() {
		t.Error("a bot that has stopped holds the lease")
	}
	one.change(first, "returns.md", "38 days", "39 days")
	one.reflected()
	one.writes(one.name())
	first.stop()
	one.writes("")
}

// copyDoc takes over a document of another house.
func (h *qdrantHouse) copyDoc(other *qdrantHouse, name string) {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(other.dir, "docs", name))
	h.must(err)
	h.write(filepath.Join("docs", name), string(text))
}

// A bot whose state folder was lost finds its vectors where they are.
func TestQdrantOutlivesTheState(t *testing.T) {
	t.Parallel()
	h := newQdrantHouse(t, qdranttest.Options{Strict: true})
	bot := h.start()
	h.mends(bot)
	bot.stop()
	written := h.written()
	h.must(os.RemoveAll(h.state()))
	bot = h.start()
	h.mends(bot)
	if n := h.written() - written; n > 0 || h.Calls(qdranttest.Delete) > 0 {
		t.Errorf("%d points were written again, and in %d calls some were deleted", n, h.Calls(qdranttest.Delete))
	}
	bot.stop()
}

// written is how many points the bots have put.
func (h *qdrantHouse) written() (n int) {
	for _, r := range qdranttest.Requests[*qdrant.UpsertPoints](h.Server) {
		if r.CollectionName == h.collection {
			n += len(r.Points)
		}
	}
	return n
}

// A command that ends after one answer stores its vectors, and does not wait long for a server
// that hangs.
func TestQdrantAndOneShotCommands(t *testing.T) {
	t.Parallel()
	h := newQdrantHouse(t, qdranttest.Options{Strict: true})
	ask := func(env ...string) (a askedFor, took time.Duration) {
		t.Helper()
		begun := time.Now()
		code, out := h.runWith(env, "ask", "--json", askReturn)
		took = time.Since(begun)
		h.must(json.Unmarshal([]byte(out[strings.Index(out, "{\"verdict"):]), &a))
		if code != exitOK || !strings.Contains(a.Answer, saysReturn) || len(a.Sources) == 0 {
			t.Errorf("exit code %d: %s", code, out)
		}
		return a, took
	}
	h.Freeze()
	if a, _ := ask(); len(a.Degraded) == 0 {
		t.Error("answered as if there were vectors")
	}
	_, without := ask("QDRANT_URL=", "QDRANT_API_KEY=")
	_, with := ask()
	t.Logf("a question takes %v with a server that hangs, %v without one", with, without)
	if with > without+4*6*time.Second {
		t.Error("that is too long")
	}
	h.Thaw()
	if a, _ := ask(); len(a.Degraded) > 0 {
		t.Errorf("answered without %q", a.Degraded)
	}
	h.reflected()
	h.writes("")
}
