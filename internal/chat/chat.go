// Package chat is one turn of a conversation, in this order:
//
//	guard    refuses what is no question, with a reason for the log
//	query    weighs what was said before beside the question
//	Search   finds passages (the library's part)
//	cut      takes the passages apart into units: sentences, list items, table rows
//	score    says how well each unit answers, by words, meaning, and rank
//	pick     chooses a few, with what they cannot stand without
//	assess   turns what was seen into a confidence, and that into a verdict
//	Check    proves every citation before anyone sees it (package citations)
//
// Everything an answer states is quoted word for word from a passage; what the bot says
// in its own words stands in words.go. Where there is a model to write, these come between
// pick and Check:
//
//	standalone  (before the search) puts a follow-up question into full words
//	pack        numbers the passages that the model is given
//	write       has it draft an answer, and takes the draft apart into claims
//	Prove       keeps each claim that the passages it cites hold (package citations)
//
// What is kept replaces the quotes. If nothing is, or the model fails, they stay.
package chat

// A Turn is something said earlier in the conversation.
type Turn struct {
	Role string `json:"role"` // "user" or "assistant"
	Text string `json:"text"`
}

// A Question is what someone asks, with what was said before, oldest first.
type Question struct {
	Text      string   `json:"question"`
	History   []Turn   `json:"history,omitempty"`
	Audiences []string `json:"audience,omitempty"`
	Explain   bool     `json:"explain,omitempty"` // tell what a model wrote that could not be shown
}

// A Stage is how far an answer has come, for surfaces that show progress.
type Stage string

// The stages, in order.
const (
	Searching Stage = "searching"
	Reading   Stage = "reading"
	Writing   Stage = "writing" // only where a model does
	Checking  Stage = "checking"
)

// Progress is what a surface may show of an answer on its way.
type Progress struct {
	Stage     Stage  `json:"stage"`
	Statement string `json:"statement,omitempty"` // that a model wrote and that has just been proven
}
