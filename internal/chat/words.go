package chat

import (
	"strings"

	"citebot/internal/citations"
)

// What the bot says in its own words. All of it stands here: short, calm, and no
// statement about a policy. A document's title is the only thing filled in.
const (
	sayEmpty    = "Ask me something about the documents, and I will answer with the passages that say so."
	sayTooLong  = "That is more than I can read at once. Please ask one question, in a few sentences."
	sayGreeting = "Hello. Ask me something about the documents, and I will answer with the passages that say so."
	sayThanks   = "You are welcome."
	sayUnsure   = "The documents do not say this outright. The nearest they say:"
	sayNoAnswer = "I could not find an answer to that in the documents."
	sayPerson   = "A person can help you further."

	sayFailed       = "I could not look this up just now. Please ask again in a few minutes."
	sayBusy         = "I have more questions than I can answer at the moment. Please ask again in a few minutes."
	sayPersonLimit  = "You are asking faster than I may answer. Please ask again in a minute."
	sayChannelLimit = "There are more questions in this channel than I may answer at once. Please ask again in a minute."
	sayNotForAll    = "That answer rests on documents that not everyone here may see, so I did not share it."
	sayLongThread   = "This thread has become long. Please ask in a new one."
)

// noAnswerNotice says that nothing was found, what comes nearest, and what to do.
func noAnswerNotice(nearest []citations.Nearest) string {
	if len(nearest) == 0 {
		return sayNoAnswer + " " + sayPerson
	}
	return sayNoAnswer + " The nearest document is “" + nearest[0].Title + "”. " + sayPerson
}

// unsureNotice goes before parts that may not be what was asked for. missing are words of
// the question that nothing found has.
func unsureNotice(missing []string) string {
	if len(missing) == 0 {
		return sayUnsure
	}
	return "Nothing found about: " + strings.Join(missing, ", ") + ". " + sayUnsure
}
