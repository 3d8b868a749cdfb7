package chat

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"citebot/internal/citations"
)

// maxQuestion is in characters. Longer texts are pasted logs or attempts to bury the bot;
// the longest real question of the evaluation sets has 2,600.
const maxQuestion = 10_000

// A refusal is a fixed reply to what is not searched for, and why, for the log.
type refusal struct {
	reason string
	reply  string
}

// guard cleans a question's text of what nobody can see. It returns a refusal instead
// when there is nothing to search for.
func guard(text string) (string, *refusal) {
	if utf8.RuneCountInString(text) > maxQuestion {
		return "", &refusal{"too long", sayTooLong}
	}
	text = citations.Normal(text)
	switch {
	case !strings.ContainsFunc(text, meaningful):
		return "", &refusal{"empty", sayEmpty}
	case greeting.MatchString(text):
		return "", &refusal{"greeting", sayGreeting}
	case thanks.MatchString(text):
		return "", &refusal{"thanks", sayThanks}
	}
	return text, nil
}

func meaningful(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

var (
	greeting = regexp.MustCompile(`(?i)^\W*(hi+|hello|hey+|hiya|howdy|greetings|good (morning|afternoon|evening|day))(\W+(there|all|everyone|team|bot|citebot))?\W*$`)
	thanks   = regexp.MustCompile(`(?i)^\W*(ok(ay)?|great|perfect|cool|nice)?\W*(many )?(thanks?|thank you|thx|ty|cheers|much appreciated)( you)?( a lot| so much| very much| again| bot| citebot)?\W*$`)
)
