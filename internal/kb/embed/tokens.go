package embed

// Tokens counts the tokens of a text, however long it is. Language models cut text by
// vocabularies of their own, of which this is a fair estimate for English.
func (m *Model) Tokens(text string) (n int) {
	var pieces []int32
	for word := range words(text) {
		pieces = m.tokenizer.appendWord(pieces[:0], word)
		n += len(pieces)
	}
	return n
}
