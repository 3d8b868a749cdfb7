package chat

import (
	"regexp"
	"strings"
)

// LooksLikeQuestion reports whether someone who was not talking to the bot seems to ask
// something. It wants a question mark at the end of a sentence of at least three words, or
// a beginning that only questions have; it would rather miss a question than interrupt.
func LooksLikeQuestion(text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	return len(strings.Fields(text)) >= 3 && (askedOutright.MatchString(text) || askedInWords.MatchString(text))
}

var (
	askedOutright = regexp.MustCompile(`[\pL\pN)"”'’]\s*\?+(\s|$)`)
	askedInWords  = regexp.MustCompile(`^(hi|hello|hey|hi all|hello everyone|hey team|quick question|question)?[,:.!\s]*` +
		`((how|what|when|where|who|whom|whose|which|why)(['’]s|['’]re)?\b.{8}` +
		`|(can|could|may|should|do|does|did|is|are|am|will|would|has|have) (i|we|you|they|he|she|it|someone|anyone|anybody|there|the|a|an|my|our|customers?)\b.{6}` +
		`|(does )?(anyone|anybody|someone) (here )?(know|remember)s?\b)`)
)
