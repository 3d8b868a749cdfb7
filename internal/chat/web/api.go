package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"citebot/internal/chat"
)

// A search is the body of POST /api/search; GET has all but the history in its address.
type search struct {
	Query     string      `json:"query"`
	History   []chat.Turn `json:"history"`
	Audiences []string    `json:"audience"`
	Limit     int         `json:"limit"`
}

const (
	defaultLimit = 10
	maxLimit     = 100
)

func (s *Server) apiSearch(w http.ResponseWriter, r *http.Request) {
	q, err := readSearch(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if len(q.Audiences) == 0 {
		q.Audiences = s.cfg.Audience
	}
	leave, err := s.questions.enter(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer leave()
	results, err := s.cfg.Search(r.Context(), q.Query, q.History, q.Audiences, q.Limit)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, results)
}

func readSearch(w http.ResponseWriter, r *http.Request) (search, error) {
	q := search{Limit: defaultLimit}
	var err error
	if r.Method == http.MethodPost {
		err = readJSON(w, r, &q, "query, history, audience and limit")
	} else {
		err = q.fromAddress(r)
	}
	switch {
	case err != nil:
		return q, err
	case r.Method != http.MethodPost && strings.TrimSpace(q.Query) == "":
		return q, refusal{http.StatusBadRequest, "there is nothing to search for: write it as /api/search?q=…"}
	case q.Limit < 1 || q.Limit > maxLimit:
		return q, refusal{http.StatusBadRequest, fmt.Sprintf("limit %d is not between 1 and %d", q.Limit, maxLimit)}
	}
	return q, checkHistory(q.History)
}

func (q *search) fromAddress(r *http.Request) error {
	values := r.URL.Query()
	q.Query = values.Get("q")
	q.Audiences = splitList(values.Get("audience"))
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return refusal{http.StatusBadRequest, fmt.Sprintf("limit %q is not a whole number", text)}
		}
		q.Limit = n
	}
	return nil
}

func splitList(text string) []string {
	var list []string
	for each := range strings.SplitSeq(text, ",") {
		if each = strings.TrimSpace(each); each != "" {
			list = append(list, each)
		}
	}
	return list
}

// apiDocuments lists all documents, or with ?audience=a,b those. Browsers keep the list
// and ask whether it is still the same, which makes watching it cheap.
func (s *Server) apiDocuments(w http.ResponseWriter, r *http.Request) {
	docs := s.cfg.Documents()
	if audiences := splitList(r.URL.Query().Get("audience")); audiences != nil {
		docs = visible(docs, audiences)
	}
	if docs == nil {
		docs = []Document{}
	}
	data, err := json.Marshal(docs)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(data)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:12])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(append(data, '\n')))
}

// visible keeps the documents that one of audiences may read, those that need a look first.
func visible(docs []Document, audiences []string) []Document {
	docs = slices.DeleteFunc(slices.Clone(docs), func(d Document) bool { return !slices.Contains(audiences, d.Audience) })
	slices.SortStableFunc(docs, func(a, b Document) int { return urgency(a) - urgency(b) })
	return docs
}

func urgency(d Document) int {
	return slices.Index([]string{docFailed, docPending, docLive}, d.State)
}

// notFound is for addresses that mean nothing here.
func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, refusal{http.StatusNotFound, "There is no such page here, or it takes another method than " + r.Method + "."})
}

func (s *Server) live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ok")
}

// ready adds to what the program says of itself whether the web answers, and the line that
// the ask page shows.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	now := s.cfg.Ready()
	parts := map[string]Part{"web": {State: StateOK}}
	for name, part := range now.Parts {
		parts[name] = part
	}
	summary := now.summary()
	if s.work.isStopping() {
		parts["web"] = Part{State: StateDegraded, Problem: errStopping.Error()}
		now.Ready, summary = false, textStop
	}
	status := http.StatusOK
	if !now.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, struct {
		Ready   bool            `json:"ready"`
		Summary string          `json:"summary,omitempty"`
		Parts   map[string]Part `json:"parts"`
	}{now.Ready, summary, parts})
}
