package web

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"citebot/internal/chat"
	"citebot/internal/citations"
)

// The shop behind the tests: three policies, one of them changed and one removed since
// they were cited, and an answer of each verdict and shape.

const (
	hashReturns  = "5f0c1a7e9b3d4c2f8a6e1d0b7c9f3a55"
	hashRefunds  = "0b9d6e2f4a1c8d7e3f5a9b0c2d4e6f81"
	hashDelivery = "c41f7a9e0d3b5c6f8e2a1b4d7f90a3e2"
	hashOld      = "77aa00bb11cc22dd33ee44ff55aa66bb"
	hashGone     = "e9e9e9e9aaaabbbbccccddddeeeeffff"
)

var errBusyFixture = errors.New("still loading")

// A shop is a Config's functions, and what they were asked.
type shop struct {
	ready   Readiness
	docs    []Document
	sources map[string]Source
	answers map[string]citations.Answer

	mu    sync.Mutex
	asked []chat.Question
}

func newShop() *shop {
	return &shop{
		ready: Readiness{Ready: true, Parts: map[string]Part{
			"library": {State: StateOK},
			"vectors": {State: StateOK, Progress: &Progress{Documents: 6, DocumentsTotal: 6, Vectors: 48, VectorsTotal: 48}},
			"slack":   {State: StateOff},
		}},
		docs:    shopDocuments(),
		sources: map[string]Source{hashReturns: returns(), hashRefunds: refunds(), hashDelivery: delivery(), hashOld: old(), hashGone: gone()},
		answers: shopAnswers(),
	}
}

func (s *shop) config() Config {
	return Config{
		Ask:    s.ask,
		Search: s.search,
		Documents: func() []Document {
			return s.docs
		},
		Source: func(hash string) (Source, bool) { src, ok := s.sources[hash]; return src, ok },
		Ready:  func() Readiness { return s.ready },
		Suggestions: func() []string {
			return []string{"How long do I have to return something?", "What does delivery cost?", "Can I work from another country?", "Who signs off expenses?", "A fifth"}
		},
		Addr: "127.0.0.1:8080",
		Busy: errBusyFixture,
	}
}

// ask answers what the shop knows. Three questions stand for trouble.
func (s *shop) ask(ctx context.Context, q chat.Question, progress func(chat.Progress)) (citations.Answer, error) {
	s.mu.Lock()
	s.asked = append(s.asked, q)
	s.mu.Unlock()
	switch q.Text {
	case "busy":
		return citations.Answer{}, errBusyFixture
	case "broken":
		return citations.Answer{}, errors.New("dial tcp 10.0.0.7: secret detail")
	case "panic":
		panic("boom")
	}
	progress(chat.Progress{Stage: chat.Searching})
	switch q.Text {
	case "broken late":
		return citations.Answer{}, errors.New("secret detail")
	case "wait":
		<-ctx.Done()
		return citations.Answer{}, ctx.Err()
	}
	progress(chat.Progress{Stage: chat.Reading})
	progress(chat.Progress{Stage: chat.Checking})
	if answer, ok := s.answers[q.Text]; ok {
		return answer, nil
	}
	return s.answers["Can I bring my dog to the office?"], nil
}

func (s *shop) questions() []chat.Question {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]chat.Question(nil), s.asked...)
}

func (s *shop) search(_ context.Context, query string, history []chat.Turn, audiences []string, limit int) (any, error) {
	if query == "busy" {
		return nil, errBusyFixture
	}
	return map[string]any{"query": query, "history": history, "audiences": audiences, "limit": limit}, nil
}

func newTestServer(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shopDocuments() []Document {
	at := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 9, 30, 0, 0, time.UTC) }
	return []Document{
		{Path: "returns.md", State: docLive, Passages: 11, Hash: "a1", Updated: at(3, 12), Title: "Returns and refunds", Audience: "public"},
		{Path: "delivery.md", State: docLive, Passages: 9, Hash: "a2", Updated: at(5, 2), Title: "Delivery", Audience: "public"},
		{Path: "hr/remote-work.docx", State: docPending, Passages: 7, Hash: "a3", Updated: at(6, 1), Title: "Working from elsewhere", Audience: "public"},
		{Path: "warranty.pdf", State: docLive, Passages: 14, Hash: "a4", Updated: at(1, 20), Title: "Warranty terms", Audience: "public"},
		{Path: "gift-cards.md", State: docFailed, Passages: 4, Hash: "a5", Updated: at(2, 8), Problem: "line 14: front matter is not closed; end it with ---", Title: "Gift cards", Audience: "public"},
		{Path: "staff/salaries.md", State: docLive, Passages: 5, Hash: "a6", Updated: at(4, 4), Title: "Salary bands", Audience: "staff"},
	}
}

// doc builds blocks from lines: "# " headings, "- " items, "|" rows, "```" code.
func doc(text string) []Block {
	var blocks []Block
	header := ""
	for i, raw := range strings.Split(text, "\n") {
		at := [2]int{i + 1, i + 1}
		switch {
		case raw == "":
			header = ""
		case strings.HasPrefix(raw, "#"):
			level := len(raw) - len(strings.TrimLeft(raw, "#"))
			title := strings.TrimSpace(raw[level:])
			blocks = append(blocks, Block{Kind: "heading", Level: level, Text: title, Anchor: strings.ReplaceAll(strings.ToLower(title), " ", "-"), Lines: at})
		case strings.HasPrefix(strings.TrimLeft(raw, " "), "- "):
			indent := len(raw) - len(strings.TrimLeft(raw, " "))
			blocks = append(blocks, Block{Kind: "item", Level: 1 + indent/2, Text: strings.TrimSpace(raw)[2:], Lines: at})
		case strings.HasPrefix(raw, "|") && header == "":
			header = raw[2:]
			blocks = append(blocks, Block{Kind: "header", Text: header, Lines: at})
		case strings.HasPrefix(raw, "|"):
			blocks = append(blocks, Block{Kind: "row", Text: raw[2:], Header: header, Lines: at})
		case strings.HasPrefix(raw, "```"):
			blocks = append(blocks, Block{Kind: "code", Text: strings.ReplaceAll(raw[3:], `\n`, "\n"), Lines: at})
		default:
			blocks = append(blocks, Block{Kind: "paragraph", Text: raw, Lines: at})
		}
	}
	return blocks
}

// spans are whole blocks by their lines.
func spans(blocks []Block, lines ...int) []Span {
	var found []Span
	for _, b := range blocks {
		for _, n := range lines {
			if b.Lines[0] == n {
				found = append(found, Span{Text: b.Text, Lines: b.Lines})
			}
		}
	}
	return found
}

const returnsText = `# Returns and refunds

This policy covers everything bought in our shops and on our website, by private customers.

## Returning something

You may return unused goods within 30 days of delivery, without giving a reason. Bring or send them back in their original packaging, with the receipt or the order number. Goods bought as a gift can be returned by the person who received them, for a gift card.

We cannot take back:

- opened hygiene articles, such as razors and earphones
- goods made or cut to measure
  - unless we measured wrongly
- gift cards and downloads

## Refunds

We refund the price and the cost of standard delivery within 14 days of receiving the goods. The money goes back the way it was paid; we cannot refund to another card or account.

Express delivery is refunded only when the goods were faulty.

## Return labels

Print a label from your account, or ask for one:

` + "```" + `mail returns@harbourandpine.example\nSubject: label for order 10-2231
`

const deliveryText = `# Delivery

We deliver to addresses in the United Kingdom and the European Union.

## Prices and times

| Service | United Kingdom | European Union | Arrives within
| Standard | £3.95 | £9.50 | 3–5 working days
| Express | £7.95 | £18.00 | next working day, in the EU 2 working days
| Collect in a shop | free | – | 2 working days

Standard delivery is free for orders over £60.

## When nobody is home

The driver leaves a card and tries once more on the next working day.
`

func returns() Source {
	b := doc(returnsText)
	return Source{Path: "returns.md", Title: "Returns and refunds", Section: "Returns and refunds › Returning something", Updated: "2026-03-12", Owner: "Customer care",
		URL: "https://harbourandpine.example/returns", State: SourceCurrent, Lines: [2]int{7, 14}, Blocks: b, Spans: spans(b, 7, 9, 11, 12, 13, 14)}
}

func refunds() Source {
	s := returns()
	s.Section, s.Lines, s.Spans = "Returns and refunds › Refunds", [2]int{18, 20}, spans(s.Blocks, 18, 20)
	return s
}

func delivery() Source {
	b := doc(deliveryText)
	return Source{Path: "delivery.md", Title: "Delivery", Section: "Delivery › Prices and times", Updated: "2026-05-02", Owner: "Logistics",
		State: SourceCurrent, Lines: [2]int{7, 12}, Blocks: b, Spans: spans(b, 7, 8, 9, 10, 12)}
}

func old() Source {
	s := refunds()
	s.State, s.Now, s.Updated = SourceChanged, hashRefunds, "2025-10-01"
	s.Blocks = doc(strings.ReplaceAll(returnsText, "within 14 days of receiving", "within 30 days of receiving"))
	s.Spans = spans(s.Blocks, 18, 20)
	return s
}

func gone() Source {
	s := delivery()
	s.State = SourceRemoved
	return s
}

func shopAnswers() map[string]citations.Answer {
	src := func(n int, hash string, s Source, quote string, lines [2]int) citations.Source {
		return citations.Source{N: n, Path: s.Path, Title: s.Title, Section: s.Section, Quote: quote, Lines: lines, Updated: s.Updated, Hash: hash, URL: "http://127.0.0.1:8080/s/" + hash}
	}
	quoteReturn := "You may return unused goods within 30 days of delivery, without giving a reason. Bring or send them back in their original packaging, with the receipt or the order number."
	quoteRefund := "We refund the price and the cost of standard delivery within 14 days of receiving the goods. … Express delivery is refunded only when the goods were faulty."
	return map[string]citations.Answer{
		"How long do I have to return something?": {
			Verdict: citations.Answered,
			Text:    "You may return unused goods within 30 days of delivery, without giving a reason. [1] …",
			Parts: []citations.Part{
				{Text: "You may return unused goods within 30 days of delivery, without giving a reason.", Sources: []int{1}},
				{Text: "We refund the price and the cost of standard delivery within 14 days of receiving the goods.", Sources: []int{2}},
				{Text: "We cannot take back:", Sources: []int{1}},
				{Text: "opened hygiene articles, such as razors and earphones", Kind: citations.Item, Sources: []int{1}},
				{Text: "goods made or cut to measure, unless we measured wrongly", Kind: citations.Item, Sources: []int{1}},
				{Text: "Express delivery is refunded only when the goods were faulty.", Sources: []int{2, 1}},
			},
			Sources:    []citations.Source{src(1, hashReturns, returns(), quoteReturn, [2]int{7, 7}), src(2, hashRefunds, refunds(), quoteRefund, [2]int{18, 20})},
			Confidence: 0.93, TookMS: 412, Degraded: []string{},
		},
		"What does delivery cost?": {
			Verdict: citations.Answered,
			Text:    "Standard | £3.95 … [1]",
			Parts: []citations.Part{
				{Text: "Service | United Kingdom | European Union | Arrives within", Kind: citations.Header, Sources: []int{1}},
				{Text: "Standard | £3.95 | £9.50 | 3–5 working days", Kind: citations.Row, Sources: []int{1}},
				{Text: "Express | £7.95 | £18.00 | next working day, in the EU 2 working days", Kind: citations.Row, Sources: []int{1}},
				{Text: "Collect in a shop | free | – | 2 working days", Kind: citations.Row, Sources: []int{1}},
				{Text: "Standard delivery is free for orders over £60.", Sources: []int{1}},
			},
			Sources:    []citations.Source{src(1, hashDelivery, delivery(), "Standard | £3.95 | £9.50 | 3–5 working days … Standard delivery is free for orders over £60.", [2]int{7, 12})},
			Confidence: 0.9, TookMS: 260, Degraded: []string{"vectors"},
		},
		"Is express delivery refunded when I change my mind?": {
			Verdict:    citations.Unsure,
			Text:       "Express delivery is refunded only when the goods were faulty. [1]",
			Notice:     "The documents come close but do not say what happens when you change your mind.",
			Parts:      []citations.Part{{Text: "Express delivery is refunded only when the goods were faulty.", Sources: []int{1}}},
			Sources:    []citations.Source{src(1, hashRefunds, refunds(), "Express delivery is refunded only when the goods were faulty.", [2]int{20, 20})},
			Nearest:    []citations.Nearest{{Path: "delivery.md", Title: "Delivery", Section: "Prices and times", URL: "http://127.0.0.1:8080/s/" + hashDelivery}},
			Confidence: 0.48, TookMS: 388, Degraded: []string{},
		},
		"Can I bring my dog to the office?": {
			Verdict: citations.NoAnswer,
			Text:    "The documents do not say whether dogs may come to the office.",
			Notice:  "None of the documents I can read says anything about this.",
			Parts:   []citations.Part{}, Sources: []citations.Source{},
			Nearest: []citations.Nearest{
				{Path: "hr/remote-work.docx", Title: "Working from elsewhere", Section: "Working from elsewhere › The office", URL: "http://127.0.0.1:8080/s/" + hashReturns},
				{Path: "returns.md", Title: "Returns and refunds", URL: "javascript:alert(1)"},
			},
			Confidence: 0.04, TookMS: 151, Degraded: []string{},
		},
	}
}
