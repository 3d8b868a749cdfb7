package discord

// What this surface says in its own words, beside what the desk says on every platform.
const (
	sayUsage           = "Ask me something about the documents: `/ask question: How long do I have to return something?`"
	sayLooking         = "Looking in the documents…"
	sayThanks          = "Thank you, noted."
	sayCalled          = "I am passing your question on to a person. They see the question, not this conversation."
	sayCalledHere      = "I am calling a person to this conversation."
	sayCalledAlready   = "A person has been asked already."
	sayNobodyCalled    = "I could not reach a person: Discord did not let me post where they help. Please contact them yourself."
	sayNotShared       = "I could not share the answer, because I may not post in that channel. Somebody who manages this server can let me: I need to see the channel and send messages there. Then share it again."
	saySharedAlready   = "This answer has been shared already."
	sayAnsweredAlready = "This message has been answered already."
	sayNothingToAnswer = "There is nothing in this message that I could answer."
	sayReveal          = "Your question will be shown, with your name, in the channel where people help."
	sayLate            = "This took too long for a reply, so here it is:"
	sayElsewhere       = "I could not answer where you asked, so here it is:"
	sayNoSuchDocument  = "There is no such document, or not everyone here may see it. Choose one from the list that appears while you type."
	sayUnheard         = "I can read a message only when it names me. Please mention me together with your question."
	saySources         = "Sources"
	sayNotKnown        = "I do not know this any more. Please ask anew."
	sayTryAgain        = "I could not take that just now. Please try again in a moment."
	sayNobody          = "There is nobody I could ask from here."
	sayShared          = "I am sharing the answer."
)
