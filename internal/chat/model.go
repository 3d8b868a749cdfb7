package chat

import (
	"context"

	"citebot/internal/citations"
)

// A Model writes text. What it writes is a draft: nobody sees a word of it that has not been
// proven.
type Model interface {
	// Complete writes what goes on from a prompt, and ends when it is whole or ctx does. more
	// is called with each piece as it comes, from this goroutine. An error says that there is
	// no text to be used; the usage counts all the same. Whether it is worth another try is
	// the model's business: Complete is called once.
	Complete(ctx context.Context, p Prompt, more func(text string)) (Draft, error)
}

// A Prompt is what a model is given.
type Prompt struct {
	System    string
	Turns     []Turn // ends with one of the user's
	MaxTokens int    // that it may write
}

// A Draft is what a model wrote.
type Draft struct {
	Text  string
	Cut   bool // it was not done when MaxTokens were written
	Usage citations.Usage
}
