// Package citations defines the answer that every surface shows – parts of text, each
// resting on numbered sources – and proves that an answer's sources hold it.
//
// It knows nothing of who wrote an answer nor of any platform's markup.
package citations

// Verdict says how far the documents answer a question.
type Verdict string

// The verdicts.
const (
	Answered Verdict = "answered"
	Unsure   Verdict = "unsure"    // parts are the nearest the documents say; Notice says what is missing
	NoAnswer Verdict = "no_answer" // no parts
)

// An Answer is what the bot says, independent of where it is said. Its JSON form is the
// public one of `bot ask --json` and POST /api/ask.
type Answer struct {
	Verdict    Verdict   `json:"verdict"`
	Text       string    `json:"answer"`            // Render of the parts; the notice where there are none
	Notice     string    `json:"notice,omitempty"`  // the bot's own fixed words, no statement about policy
	Parts      []Part    `json:"parts"`             // never null
	Sources    []Source  `json:"sources"`           // never null; numbered by first use from 1
	Nearest    []Nearest `json:"nearest,omitempty"` // documents worth a look when the verdict is not answered
	Confidence float64   `json:"confidence"`        // 0 to 1, calibrated
	TookMS     int64     `json:"took_ms"`
	Degraded   []string  `json:"degraded"` // parts of the program that did not take part; never null
	Usage      Usage     `json:"usage,omitzero"`
	Refused    []Refused `json:"refused,omitempty"` // what a model wrote and nobody is shown; only where it is asked for
}

// Usage is how many tokens a model was given for an answer, and has written; zero where none
// took part.
type Usage struct {
	Input  int `json:"input"`
	Output int `json:"output"`
}

// PartKind says how a surface may set a part.
type PartKind string

// The kinds of a part.
const (
	Sentence PartKind = "sentence"
	Item     PartKind = "item"   // a list item
	Header   PartKind = "header" // a table's header row, cells joined by " | ", followed by rows of the same width
	Row      PartKind = "row"    // a table's row, likewise
)

// A Part is one statement and the numbers of the sources that hold it.
type Part struct {
	Text    string   `json:"text"`
	Kind    PartKind `json:"kind,omitempty"`
	Sources []int    `json:"sources"`
	Written bool     `json:"written,omitempty"` // in a model's words; the sources' quotes hold what they say
}

// A Refused is a statement that no passage was found to hold.
type Refused struct {
	Text string `json:"text"`
	Refusal
}

// A Source is a quote from one version of one passage.
type Source struct {
	N       int    `json:"n"`
	Path    string `json:"path"`
	Title   string `json:"title"`
	Section string `json:"section"`
	Quote   string `json:"quote"`             // the passage's words that the parts rest on; gaps are marked " … "
	Lines   [2]int `json:"lines"`             // first and last line of the quote in the file
	Updated string `json:"updated,omitempty"` // YYYY-MM-DD
	URL     string `json:"url"`               // opens the document with the passage highlighted
	Hash    string `json:"hash"`              // the passage version
}

// Nearest names a document that comes closest to a question it does not answer.
type Nearest struct {
	Path    string `json:"path"`
	Title   string `json:"title"`
	Section string `json:"section,omitempty"`
	URL     string `json:"url"`
}
