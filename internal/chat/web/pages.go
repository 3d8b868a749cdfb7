package web

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"citebot/internal/chat"
	"citebot/internal/citations"
)

//go:embed templates/*.html
var templateFiles embed.FS

func loadTemplates() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{
		"date":    date,
		"lines":   lineRange,
		"day":     func(t time.Time) string { return date(t.Format(time.DateOnly)) },
		"web":     webAddress,
		"section": section,
	}).ParseFS(templateFiles, "templates/*.html")
}

// render writes a whole page, or a plain 500 when its template fails: never half a page.
func (s *Server) render(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	if err := s.templates.ExecuteTemplate(&page, name, data); err != nil {
		s.cfg.Log.Error("page failed", slog.String("page", name), slog.Any("error", err))
		http.Error(w, textBroken, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	page.WriteTo(w)
}

// root is the way from a request's page back to the ask page. Pages use relative addresses
// only, so that a proxy may serve them below a path.
func root(r *http.Request) string {
	return "./" + strings.Repeat("../", max(strings.Count(r.URL.Path, "/")-1, 0)) // OPTIONS * has none
}

type loginPage struct {
	Root  string
	Next  string // where to go after signing in
	Error string
}

type problemPage struct {
	Root        string
	Title, Text string
}

// askPage is the ask page: empty, or with the answer to the form that came without script.
type askPage struct {
	Root        string
	Question    string // kept in the box after a problem
	Problem     string
	Turn        *turn
	Suggestions []string
	Documents   []Document
	More        int // documents beyond those listed
	Summary     string
	Audience    string
	SignOut     bool
}

// What the ask page shows at most.
const (
	maxSuggestions = 4
	maxListed      = 200
)

func (s *Server) newAskPage(r *http.Request) askPage {
	docs := visible(s.cfg.Documents(), s.cfg.Audience)
	listed := docs[:min(len(docs), maxListed)]
	page := askPage{
		Root:      root(r),
		Documents: listed,
		More:      len(docs) - len(listed),
		Summary:   s.cfg.Ready().summary(),
		Audience:  strings.Join(s.cfg.Audience, ","),
		SignOut:   s.keys.needed(),
	}
	if s.cfg.Suggestions != nil {
		page.Suggestions = s.cfg.Suggestions()
		page.Suggestions = page.Suggestions[:min(len(page.Suggestions), maxSuggestions)]
	}
	return page
}

func (s *Server) showAsk(w http.ResponseWriter, r *http.Request) {
	s.render(w, http.StatusOK, "ask", s.newAskPage(r))
}

// postAsk is the ask page without script: one question, one page with its answer. A
// suggestion is a button of the same name beside the empty box.
func (s *Server) postAsk(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, refusal{http.StatusBadRequest, "The form could not be read. Please go back and try again."})
		return
	}
	page := s.newAskPage(r)
	question := strings.TrimSpace(strings.Join(r.PostForm["question"], " "))
	if question == "" {
		page.Problem = "Please write a question first."
		s.render(w, http.StatusBadRequest, "ask", page)
		return
	}
	answer, err := s.ask(r.Context(), chat.Question{Text: question}, func(chat.Progress) {})
	if err != nil {
		why := s.explain(err)
		page.Question, page.Problem = question, why.text
		s.render(w, why.status, "ask", page)
		return
	}
	page.Turn = s.newTurn(question, answer)
	s.render(w, http.StatusOK, "ask", page)
}

// A turn is a question and its answer as the page shows them. The script builds the same
// elements from the answer's JSON; a test holds the two together.
type turn struct {
	ID       string
	Question string
	citations.Answer
	Label  string // what the verdict means
	Groups []group
	Hint   string
	Cards  []card
	Footer string
}

// A group is parts that are set as one element.
type group struct {
	Kind string // text, list or table
	Rows []row
}

// A row is a part with its marks; of a table, with its cells.
type row struct {
	Text   string
	Header bool
	Cells  []string
	Marks  []mark
}

// A mark is one [n] in an answer, a link to the source's card.
type mark struct {
	N     int
	Title string
	Card  string
	ID    string // where its source is used first, to come back to; else ""
}

// A card shows one source below an answer.
type card struct {
	citations.Source
	ID      string
	Mark    string // ID of the first mark that points here
	Viewer  string
	Excerpt []Piece
	Fine    string
}

// label says what a verdict means, before the bot's own notice.
func label(v citations.Verdict) string {
	switch v {
	case citations.Unsure:
		return "Not certain."
	case citations.NoAnswer:
		return "Not in the documents."
	}
	return ""
}

const askPerson = "If it matters, ask a person who looks after these documents."

func (s *Server) newTurn(question string, answer citations.Answer) *turn {
	t := &turn{ID: "t0", Question: question, Answer: answer, Label: label(answer.Verdict), Footer: footer(answer)}
	if answer.Verdict == citations.NoAnswer {
		t.Hint = askPerson
	}
	t.groupParts()
	for _, source := range answer.Sources {
		t.Cards = append(t.Cards, s.newCard(t.ID, source))
	}
	return t
}

func (s *Server) newCard(turn string, source citations.Source) card {
	c := card{
		Source: source,
		ID:     fmt.Sprintf("%s-s%d", turn, source.N),
		Mark:   fmt.Sprintf("%s-m%d", turn, source.N),
		Viewer: "s/" + url.PathEscape(source.Hash) + "?quote=" + url.QueryEscape(source.Quote) + "#cited",
		Fine:   fine(source),
	}
	if kept, ok := s.cfg.Source(source.Hash); ok {
		c.Excerpt = excerpt(kept.passage(), source.Quote)
	}
	if c.Excerpt == nil {
		c.Excerpt = []Piece{{Text: source.Quote, Quoted: true}}
	}
	return c
}

// groupParts sets neighbouring items as a list, neighbouring rows as a table and the
// sentences between them as paragraphs.
func (t *turn) groupParts() {
	marked := make(map[int]bool)
	for _, part := range t.Parts {
		kind, header := groupKind(part.Kind), part.Kind == citations.Header
		if n := len(t.Groups); n == 0 || t.Groups[n-1].Kind != kind || header {
			t.Groups = append(t.Groups, group{Kind: kind})
		}
		r := row{Text: part.Text, Header: header, Cells: strings.Split(part.Text, " | ")}
		if !header { // names of columns state nothing; their rows carry the marks
			r.Marks = t.marks(part.Sources, marked)
		}
		g := &t.Groups[len(t.Groups)-1]
		g.Rows = append(g.Rows, r)
	}
}

func groupKind(kind citations.PartKind) string {
	switch kind {
	case citations.Item:
		return "list"
	case citations.Header, citations.Row:
		return "table"
	}
	return "text"
}

func (t *turn) marks(sources []int, marked map[int]bool) []mark {
	var marks []mark
	for _, n := range sources {
		m := mark{N: n, Title: t.titleOf(n), Card: fmt.Sprintf("%s-s%d", t.ID, n)}
		if !marked[n] {
			marked[n] = true
			m.ID = fmt.Sprintf("%s-m%d", t.ID, n)
		}
		marks = append(marks, m)
	}
	return marks
}

func (t *turn) titleOf(n int) string {
	for _, source := range t.Sources {
		if source.N == n {
			return source.Title
		}
	}
	return ""
}

func footer(a citations.Answer) string {
	text := fmt.Sprintf("Answered in %.1f s", float64(a.TookMS)/1000)
	if len(a.Degraded) > 0 {
		text += ", without " + strings.Join(plainly(a.Degraded), " and ")
	}
	return text
}

// partNames are the parts of the program as readers know them; app.js has them, too.
var partNames = map[string]string{"vectors": "search by meaning", "bm25": "search by words", "llm": "the model that writes answers"}

func plainly(parts []string) []string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = cmp.Or(partNames[p], p)
	}
	return out
}

// section is where in its document a source stands. Most documents begin with their title
// as the first heading; it is not said twice.
func section(title, headings string) string {
	return strings.TrimPrefix(strings.TrimPrefix(headings, title), " › ")
}

// fine is the small print of a source: file, lines, date.
func fine(source citations.Source) string {
	text := source.Path
	if lines := lineRange(source.Path, source.Lines); lines != "" {
		text += ", " + lines
	}
	if source.Updated != "" {
		text += " · updated " + date(source.Updated)
	}
	return text
}

// date sets YYYY-MM-DD as people write it, and anything else as it is.
func date(text string) string {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return text
	}
	return t.Format("2 Jan 2006")
}

// lineRange names the lines of a file; of a PDF they are pages.
func lineRange(file string, lines [2]int) string {
	unit := "line"
	if strings.EqualFold(path.Ext(file), ".pdf") {
		unit = "page"
	}
	switch {
	case lines[0] <= 0:
		return ""
	case lines[1] <= lines[0]:
		return fmt.Sprintf("%s %d", unit, lines[0])
	}
	return fmt.Sprintf("%ss %d–%d", unit, lines[0], lines[1])
}

// webAddress is address if it may be a link, else "".
func webAddress(address string) string {
	if isWeb(address) {
		return address
	}
	return ""
}
